"""Convert finished episodes, and the phrases of an HM-LSTM, for display."""

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
    """Convert episodes for display, row by row.

    Args:
        episodes: Finished episodes.
        sentences: Sentences of the split, to which `indices` refer.
        labels: Names of the classes.
        problem: Decision problem of the actions.
        gold: Whether to show the labels of the sentences.
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
    """Convert the nested phrases and the predictions of an HM-LSTM for display, row by row.

    A phrase of a level ends where the boundary detectors of that level and of all lower levels fire.

    Args:
        model: HM-LSTM in eval mode.
        batch: Sentences to classify.
        sentences: Sentences of the split, to which `indices` refer.
        labels: Names of the classes.
        gold: Whether to show the labels of the sentences.
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
