"""Collect the predictions of a policy or a classifier on a split, and counts of the policy's decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hs_env.compute import to_array
from hs_env.errors import HsEnvError
from hs_env.problems.problem import Column, Problem
from hs_env.types import Episodes, SentenceBatch

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions on the N sentences of a split, in the order of the split.

    Attributes:
        labels: (N,) int64 gold classes.
        log_probs: (N, C) finite floats, class log-probabilities.
        lengths: (N,) int64 number of words.
        counts: (N,) numbers by name, from `Problem.counts` for the decisions of a policy; empty without a policy.
        columns: Columns that are computed from `counts`.

    Raises:
        HsEnvError: If there is no sentence, a label is out of range, or a log-probability is not finite.
    """

    labels: IntArray
    log_probs: NDArray[np.floating[Any]]
    lengths: IntArray
    counts: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        if not len(self):
            raise HsEnvError("There is nothing to evaluate: no sentences. Choose a split that has some.")
        classes = self.log_probs.shape[1]
        if self.labels.min() < 0 or self.labels.max() >= classes:
            raise HsEnvError(
                f"The model has {classes} classes, but the labels range from {self.labels.min()} to "
                f"{self.labels.max()}. Evaluate it on the corpus that it was trained on."
            )
        broken = np.flatnonzero(~np.isfinite(self.log_probs).all(1))
        if broken.size:
            raise HsEnvError(
                f"The class log-probabilities of {broken.size} sentences are not finite, first those of sentence "
                f"{broken[0]}: {self.log_probs[broken[0]].tolist()}. Did training diverge?"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def check_same(self, other: Predictions, what: str) -> None:
        """Check that others are of the same sentences, for `what`.

        Raises:
            HsEnvError: If they are not.
        """
        if not (np.array_equal(self.labels, other.labels) and np.array_equal(self.lengths, other.lengths)):
            raise HsEnvError(f"{what} needs the same sentences, got different ones, {len(self)} and {len(other)}.")

    @property
    def classes(self) -> IntArray:
        """Most probable class of each sentence, (N,) int64."""
        classes: IntArray = self.log_probs.argmax(1)
        return classes

    def count(self, name: str) -> NDArray[Any] | None:
        """Return a count (N,) by name, also "sentences", "words", "correct" or "log_likelihood"; None if unknown."""
        match name:
            case "sentences":
                return np.ones_like(self.labels)
            case "words":
                return self.lengths
            case "correct":
                correct: NDArray[np.bool_] = self.classes == self.labels
                return correct
            case "log_likelihood":
                return np.take_along_axis(self.log_probs, self.labels[:, None], axis=1)[:, 0]
        return self.counts.get(name)


def collect(episodes: Iterable[Episodes], problem: Problem) -> Predictions:
    """Collect the predictions of a policy from its finished episodes, one per sentence, in any order.

    Raises:
        HsEnvError: If there are no episodes, or several of one sentence.
    """
    parts = [
        _classified(batch.sentences, batch.log_probs) | problem.counts(batch.actions, batch.sentences)
        for batch in episodes
    ]
    return _join(parts, problem.columns)


def collect_flat(batches: Iterable[tuple[SentenceBatch, Tensor]]) -> Predictions:
    """Collect the predictions of a flat classifier from batches and their (B, C) class log-probabilities.

    Raises:
        HsEnvError: If there are no sentences, or one occurs twice.
    """
    return _join([_classified(batch, log_probs) for batch, log_probs in batches], ())


def _classified(batch: SentenceBatch, log_probs: Tensor) -> dict[str, Tensor]:
    """Return the fields that predictions of every classifier have."""
    return {"indices": batch.indices, "labels": batch.labels, "lengths": batch.lengths, "log_probs": log_probs}


def _join(parts: list[dict[str, Tensor]], columns: tuple[Column, ...]) -> Predictions:
    """Join the fields that all batches have, sorted by `indices`."""
    if not parts:
        raise HsEnvError("There is nothing to evaluate: no sentences. Choose a split that has some.")
    shared = set.intersection(*(set(part) for part in parts))
    joined = {name: np.concatenate([to_array(part[name]) for part in parts]) for name in shared}
    indices, first = np.unique(joined.pop("indices"), return_index=True)
    if len(indices) < len(joined["labels"]):
        raise HsEnvError(
            f"Expected one episode per sentence, got {len(joined['labels'])} episodes of {len(indices)} sentences. "
            "Evaluate with one sample per sentence."
        )
    sorted_ = {name: column[first] for name, column in joined.items()}
    labels, log_probs, lengths = (sorted_.pop(name) for name in ("labels", "log_probs", "lengths"))
    return Predictions(labels, log_probs, lengths, sorted_, columns)
