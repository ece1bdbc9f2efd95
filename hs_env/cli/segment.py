"""The command `hs-env segment`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import torch
import tyro

from hs_env.agents import rollout
from hs_env.cli.common import load_policy, print_json_line
from hs_env.cli.streams import argument_text, input_lines
from hs_env.models import DEFAULT_RUN, Classifier, HMLSTMClassifier
from hs_env.render import Segmented, to_ansi, to_text
from hs_env.render.episodes import hierarchies, segmented
from hs_env.types import Sentence

_BATCH: Final = 256
"""Number of sentences that are segmented together when standard input is not a terminal."""

_Segmenter = Callable[[Sequence[Sentence]], Iterable[Segmented]]


def segment(
    texts: tyro.conf.Positional[tuple[str, ...]] = (),
    run: str = DEFAULT_RUN,
    json: bool = False,
) -> None:
    """Segment or distil sentences and classify them.

    Args:
        texts: Sentences, one per argument; without any, standard input is read, one sentence per line.
        run: Folder of a trained run, or name of a run that ships with the package.
        json: Print JSON lines.
    """
    classifier, segmenter = _load_segmenter(run)
    lines = (argument_text(line.strip()) for line in input_lines() if line.strip())
    to_line = to_ansi if sys.stdout.isatty() else to_text
    interactive = not texts and sys.stdin is not None and sys.stdin.isatty()
    for batch in _batches(map(argument_text, texts) if texts else lines, 1 if interactive else _BATCH):
        sentences = [classifier.sentence(text) for text in batch]
        for text, result in zip(batch, segmenter(sentences), strict=True):
            if json:
                print_json_line(_to_json(text, result))
            else:
                print(to_line(result), flush=True)


def _load_segmenter(run: str) -> tuple[Classifier, _Segmenter]:
    """Load the classifier of a run, and return with it a function that segments sentences."""
    classifier = Classifier.load(run)
    model = classifier.model
    if isinstance(model, HMLSTMClassifier):  # finds phrases without an agent
        hm_lstm = model
        return classifier, lambda sentences: hierarchies(
            hm_lstm, classifier.batch(sentences), sentences, classifier.labels, gold=False
        )
    classifier, encoder, agent = load_policy(run)

    def segment_greedily(sentences: Sequence[Sentence]) -> Iterable[Segmented]:
        with torch.no_grad():
            episodes = rollout(encoder, agent, classifier.batch(sentences), deterministic=True).episodes
        return segmented(episodes, sentences, classifier.labels, gold=False, problem=encoder.problem)

    return classifier, segment_greedily


def _to_json(text: str, result: Segmented) -> dict[str, Any]:
    return {"text": text, **result.description, "label": result.prediction, "probability": result.probability}


def _batches(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yield the lines in lists of `size`; the last list may be shorter."""
    iterator = iter(lines)
    while batch := list(islice(iterator, size)):
        yield batch
