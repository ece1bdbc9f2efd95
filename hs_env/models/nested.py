"""Interface of flat classifiers that find nested phrases by themselves."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

from torch import Tensor

from hs_env.models.rate import Decisions, RateParameters, rate_loss
from hs_env.models.sentence import FlatClassifier
from hs_env.types import SentenceBatch


class NestedReading(NamedTuple):
    """What a `NestedClassifier` computes for a batch.

    Attributes:
        log_probs: (B, C) class log-probabilities.
        boundaries: (B, T, levels) int64, lowest level first: 1 at a word after which the level has a boundary, as it
            has after the last word; 0 at padding. A phrase of a level ends where that level and all lower ones have a
            boundary.
        decisions: Decisions of the levels with gradient, without forced ones, for the control of their rates.
    """

    log_probs: Tensor
    boundaries: Tensor
    decisions: list[Decisions]


class NestedClassifier(FlatClassifier):
    """A flat classifier that learns nested phrases from the classes of sentences.

    Attributes:
        rate: Target of the boundary rates and the loss that moves them there, set by the constructor of a subclass.
    """

    rate: RateParameters

    @abstractmethod
    def read(self, batch: SentenceBatch) -> NestedReading:
        """Read a batch once."""

    def forward(self, batch: SentenceBatch) -> Tensor:
        """See `FlatClassifier.forward`."""
        return self.read(batch).log_probs

    def penalised(self, batch: SentenceBatch) -> tuple[Tensor, Tensor | None]:
        """See `FlatClassifier.penalised`; the scalar controls the boundary rates.

        With dropout of the words it is that of a second pass without it: dropout makes the decisions vary more, so
        the rates differ.
        """
        log_probs, _, decisions = self.read(batch)
        if self.rate.boundary_rate is None:
            return log_probs, None
        if self.words.training and max(self.words.dropout.p, self.words.word_dropout.p):
            self.words.eval()
            decisions = self.read(batch).decisions
            self.words.train()
        return log_probs, rate_loss(self.rate, decisions)

    def anneal(self, epoch: float) -> dict[str, float]:
        """Adapt to the epoch, counted from 0 and possibly fractional, and return what was set, by name."""
        return {}

    def scores(self, boundaries: Tensor, counted: Tensor) -> dict[str, float]:
        """Return shares of words by name and level: `boundaries_1` is the share with a boundary of level 1.

        Args:
            boundaries: (B, T, levels) boundaries of `read`.
            counted: (B, T) bool, True for the words to count.
        """
        rates = boundaries[counted].double().mean(0).tolist()
        return {f"boundaries_{level}": rate for level, rate in enumerate(rates, 1)}
