"""Build the result of a finished run for a ledger, enough for tables, curves and tests without the run itself."""

from __future__ import annotations

import base64
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hs_env.compute import to_array
from hs_env.metrics.definitions import values_of
from hs_env.metrics.predictions import collect
from hs_env.metrics.scores import greedy_episodes, greedy_predictions
from hs_env.models import StructuredEncoder
from hs_env.problems.problem import Problem
from hs_env.storage import HISTORY, read_json
from hs_env.training.data import TrainingData
from hs_env.training.digests import DATA
from hs_env.training.folders import RECORD
from hs_env.training.run import Run
from hs_env.types import Episodes

_CURVE: Final = ("stage", "epoch", "updates", "seconds", "accuracy", "log_likelihood", "best")


def result_of(run: Run) -> dict[str, Any]:
    """Return the result of a run as JSON values with these keys.

    - "config": configuration.
    - "record": versions, machine and command of each process that trained the run.
    - "epochs": scores on dev during training.
    - "classifier_updates": number of updates of the classifier by stage.
    - "train_sentences": number of training sentences.
    - "data": digests of the corpus and of static word vectors (see `hs_env.training.digests`); runs of old versions
      have none.
    - "dev" and "test": every metric that applies, "sentences" (their number), "correct" (see `unpack`) and, if the
      model segments sentences into phrases, "phrase_lengths" (see `length_counts`).
    """
    data = run.data("dev", "test")
    epochs, digests = read_json(run.folder / HISTORY)["epochs"], run.folder / DATA
    return {
        "config": run.config.to_json(),
        "record": read_json(run.folder / RECORD),
        "epochs": [{name: epoch[name] for name in _CURVE} for epoch in epochs],
        "classifier_updates": run.classifier_updates,
        "train_sentences": len(data.splits["train"]),
        **({"data": read_json(digests)} if digests.exists() else {}),
        "dev": _scores(run, data, "dev"),
        "test": _scores(run, data, "test"),
    }


def is_result(value: Any) -> bool:
    """Tell whether a JSON value has what tables, curves and tests need of a result."""
    try:
        test = value["test"]
        shares = [value["dev"]["accuracy"], test["accuracy"], *(each["accuracy"] for each in value["epochs"])]
        numbers = [value["cpu_seconds"], test["log_likelihood"], *shares, *(each["epoch"] for each in value["epochs"])]
        whole = len(base64.b64decode(test["correct"])) == -(-test["sentences"] // 8)
        kinds = isinstance(value["record"], list) and isinstance(value["config"]["corpus"], str)
        kinds = kinds and all(isinstance(digest, str) for digest in dict(value.get("data", {})).values())
    except (KeyError, TypeError, ValueError):
        return False
    finite = all(type(each) in (int, float) and math.isfinite(each) for each in numbers)
    return whole and kinds and finite and all(0 <= each <= 1 for each in shares)


def _scores(run: Run, data: TrainingData, split: str) -> dict[str, Any]:
    model, sentences = run.classifier.model, data.splits[split]
    more: dict[str, Any] = {}
    if isinstance(model, StructuredEncoder):
        assert run.agent is not None
        episodes = list(greedy_episodes(model, run.agent, sentences))
        found = collect(episodes, model.problem)
        if model.problem.covers:
            more["phrase_lengths"] = length_counts(episodes, model.problem)
    else:
        found = greedy_predictions(model, None, sentences)
    return {
        "sentences": len(found),
        **values_of(found),
        **more,
        "correct": pack(found.classes == found.labels),
    }


def length_counts(episodes: list[Episodes], problem: Problem) -> list[int]:
    """Count the phrases of 0, 1, 2, ... words."""
    counts = np.zeros(1, dtype=np.int64)
    for batch in episodes:
        spans = problem.spans(batch.actions, batch.sentences.lengths)
        lengths = to_array(spans.stop - spans.start)
        counted = np.bincount(lengths, minlength=len(counts))
        counted[: len(counts)] += counts
        counts = counted
    values: list[int] = counts.tolist()
    return values


def pack(flags: NDArray[np.bool_]) -> str:
    """Encode (N,) flags as bits in base64; `unpack` is the inverse."""
    return base64.b64encode(np.packbits(flags).tobytes()).decode()


def unpack(text: str, size: int) -> NDArray[np.bool_]:
    """Decode (size,) flags, such as whether each sentence of a split is classified correctly, in the split's order."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8), count=size).astype(np.bool_)
