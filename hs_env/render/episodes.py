"""Convert classified sentences for display: finished episodes, nested phrases, or words without decisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat

from torch import Tensor

from hs_env.models.hm.boundary import ended_levels
from hs_env.problems.problem import Problem
from hs_env.problems.segmentation import SEGMENTATION
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
    actions = episodes.actions.tolist()
    yield from _shown(episodes.sentences, episodes.log_probs, sentences, labels, gold, problem, actions)


def nested_phrases(
    batch: SentenceBatch,
    log_probs: Tensor,
    boundaries: Tensor,
    sentences: Sequence[Sentence],
    labels: Sequence[str],
    *,
    gold: bool = True,
) -> Iterator[Segmented]:
    """Convert the nested phrases and the predictions of a `NestedClassifier` for display, row by row.

    A phrase of a level ends where that level and all lower ones have a boundary.

    Args:
        batch: Classified sentences.
        log_probs: (B, C) class log-probabilities, and
        boundaries: (B, T, levels) boundaries, both of `NestedClassifier.parse`.
        sentences: Sentences of the split, to which `indices` refer.
        labels: Names of the classes.
        gold: Whether to show the labels of the sentences.
    """
    ends = ended_levels(boundaries)
    actions = ends.clamp(max=1).tolist()
    yield from _shown(batch, log_probs, sentences, labels, gold, SEGMENTATION, actions, ends.tolist())


def undecided(
    batch: SentenceBatch,
    log_probs: Tensor,
    sentences: Sequence[Sentence],
    labels: Sequence[str],
    *,
    gold: bool = True,
) -> Iterator[Segmented]:
    """Convert the predictions of a classifier without decisions for display, row by row.

    Args:
        batch: Classified sentences.
        log_probs: (B, C) class log-probabilities.
        sentences: Sentences of the split, to which `indices` refer.
        labels: Names of the classes.
        gold: Whether to show the labels of the sentences.
    """
    yield from _shown(batch, log_probs, sentences, labels, gold, None, repeat([]))


def _shown(
    batch: SentenceBatch,
    log_probs: Tensor,
    sentences: Sequence[Sentence],
    labels: Sequence[str],
    gold: bool,
    problem: Problem | None,
    actions: Iterable[list[int]],
    ends: Iterable[list[int]] = repeat([]),
) -> Iterator[Segmented]:
    """Yield the rows of a batch. `actions` and `ends` have one list per row, with values after the last word."""
    probability, prediction = log_probs.exp().max(1)
    columns = (batch.indices.tolist(), probability.tolist(), prediction.tolist())
    for index, certainty, label, taken, levels in zip(*columns, actions, ends, strict=False):
        sentence = sentences[index]
        yield Segmented(
            words=sentence.words,
            actions=tuple(taken[: len(sentence.words)]),
            label=labels[sentence.label] if gold else None,
            prediction=labels[label],
            probability=certainty,
            problem=problem,
            ends=tuple(levels[: len(sentence.words)]),
            unit=sentence.unit,
        )
