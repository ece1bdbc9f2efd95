"""What a ledger keeps of a finished run: enough for tables, curves, and tests that are thought of later."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hs_env.metrics.definitions import values_of
from hs_env.metrics.predictions import collect, collect_flat
from hs_env.metrics.scores import flat_predictions, greedy_episodes
from hs_env.models import StructuredEncoder
from hs_env.problems.problem import Problem
from hs_env.training.data import TrainingData
from hs_env.training.folders import RECORD
from hs_env.training.run import Run
from hs_env.training.stages import HISTORY
from hs_env.types import Episodes

_CURVE: Final = ("stage", "epoch", "updates", "seconds", "accuracy", "log_likelihood", "best")


def result_of(run: Run) -> dict[str, Any]:
    """The result of a run as JSON values.

    Returns:
        "config" and "record", as the run's folder has them (a record for each process that trained); "epochs", the
        scores on dev while it trained; "train_sentences", how many it learnt from; and for "dev" and "test" every
        metric that applies, "sentences", "correct" (see `unpack`) and, of a model with phrases, "phrase_lengths": how
        many phrases have 0, 1, 2, ... words.
    """
    data = run.data("dev", "test")
    epochs = json.loads((run.folder / HISTORY).read_text())["epochs"]
    return {
        "config": run.config.to_json(),
        "record": json.loads((run.folder / RECORD).read_text()),
        "epochs": [{name: epoch[name] for name in _CURVE} for epoch in epochs],
        "classifier_updates": run.classifier_updates,
        "train_sentences": len(data.splits["train"]),
        "dev": _scores(run, data, "dev"),
        "test": _scores(run, data, "test"),
    }


def _scores(run: Run, data: TrainingData, split: str) -> dict[str, Any]:
    model, sentences = run.classifier.model, data.splits[split]
    more: dict[str, Any] = {}
    if isinstance(model, StructuredEncoder):
        assert run.agent is not None
        episodes = list(greedy_episodes(model, run.agent, sentences))
        found = collect(episodes, model.problem)
        if model.problem.covers:
            more["phrase_lengths"] = phrase_lengths(episodes, model.problem)
    else:
        found = collect_flat(flat_predictions(model, sentences))
    return {
        "sentences": len(found),
        **values_of(found),
        **more,
        "correct": pack(found.classes == found.labels),
    }


def phrase_lengths(episodes: list[Episodes], problem: Problem) -> list[int]:
    """How many phrases have 0, 1, 2, ... words."""
    counts = np.zeros(1, dtype=np.int64)
    for batch in episodes:
        spans = problem.spans(batch.actions, batch.sentences.lengths)
        lengths = (spans.stop - spans.start).numpy(force=True)
        counted = np.bincount(lengths, minlength=len(counts))
        counted[: len(counts)] += counts
        counts = counted
    values: list[int] = counts.tolist()
    return values


def pack(flags: NDArray[np.bool_]) -> str:
    """(N,) flags as bits, base64; `unpack` is the inverse."""
    return base64.b64encode(np.packbits(flags).tobytes()).decode()


def unpack(text: str, size: int) -> NDArray[np.bool_]:
    """(size,) flags, such as which sentences of a split were classified right, in the order of the split."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8), count=size).astype(np.bool_)
