"""Finished episodes, and what HM-LSTM finds by itself, for display."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from hs_env.models import HMLSTMClassifier
from hs_env.problems.problem import Problem
from hs_env.render.segmented import Segmented
from hs_env.types import Episodes, Sentence, SentenceBatch


def segmented(
    episodes: Episodes,
    sentences: Sequence[Sentence],
    labels: Sequence[str],
    *,
    problem: Problem,
    gold: bool = True,
) -> Iterator[Segmented]:
    """The episodes, row by row, for display.

    Args:
        episodes: R rows.
        sentences: What the episodes' `indices` count.
        labels: Names of the classes.
        problem: The decision problem of the actions.
        gold: Whether the sentences' labels are known.
    """
    probability, prediction = episodes.log_probs.exp().max(1)
    for row, index in enumerate(episodes.sentences.indices.tolist()):
        sentence = sentences[index]
        yield Segmented(
            words=sentence.words,
            actions=tuple(episodes.actions[row, : len(sentence.words)].tolist()),
            label=labels[sentence.label] if gold else None,
            prediction=labels[int(prediction[row])],
            probability=float(probability[row]),
            problem=problem,
        )


@torch.no_grad()
def hierarchies(
    model: HMLSTMClassifier,
    batch: SentenceBatch,
    sentences: Sequence[Sentence],
    labels: Sequence[str],
    *,
    gold: bool = True,
) -> Iterator[Segmented]:
    """The phrases within phrases that HM-LSTM finds, and its verdicts, row by row, for display.

    A phrase of a level ends where the detectors of that level and of all below it have a boundary.

    Args:
        model: In eval mode.
        batch: The sentences to read.
        sentences: What the batch's `indices` count.
        labels: Names of the classes.
        gold: Whether the sentences' labels are known.
    """
    probability, prediction = model(batch).exp().max(1)
    ends = model.boundaries(batch).cumprod(2).sum(2)
    for row, index in enumerate(batch.indices.tolist()):
        sentence = sentences[index]
        levels = tuple(ends[row, : len(sentence.words)].tolist())
        yield Segmented(
            words=sentence.words,
            actions=tuple(min(level, 1) for level in levels),
            label=labels[sentence.label] if gold else None,
            prediction=labels[int(prediction[row])],
            probability=float(probability[row]),
            ends=levels,
        )
