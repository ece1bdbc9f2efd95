"""Interface of flat classifiers that find nested phrases by themselves."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from hs_env.models.rate import Decisions, RateParameters, rate_loss
from hs_env.models.sentence import FlatClassifier
from hs_env.ranks import Dropout
from hs_env.types import SentenceBatch


class Parse(NamedTuple):
    """What a `NestedClassifier` finds in a batch.

    Attributes:
        log_probs: (B, C) class log-probabilities.
        boundaries: (B, T, levels) int64, lowest level first: 1 if the level has a boundary after the word. The last
            word always has one; padding is 0. A phrase of a level ends where it and all lower levels have a boundary.
        decisions: Decisions of each level that decides anything, with their gradient. Forced boundaries are left out.
            Empty unless they are asked for.
    """

    log_probs: Tensor
    boundaries: Tensor
    decisions: list[Decisions]


class NestedClassifier(FlatClassifier):
    """A flat classifier that learns nested phrases from the classes of sentences.

    Attributes:
        rate: Target of the boundary rates and the loss that moves them there. The constructor of a subclass sets it.
    """

    rate: RateParameters

    @abstractmethod
    def parse(self, batch: SentenceBatch, decide: bool = False) -> Parse:
        """Classify a batch and find its phrases, in one pass.

        Args:
            batch: Sentences.
            decide: Whether the result has decisions.
        """

    def forward(self, batch: SentenceBatch) -> Tensor:
        """See `FlatClassifier.forward`."""
        return self.parse(batch).log_probs

    def penalised(self, batch: SentenceBatch) -> tuple[Tensor, Tensor | None]:
        """See `FlatClassifier.penalised`; the scalar controls the boundary rates.

        Dropout makes the decisions vary more, so the rates without it differ. If words have dropout, the scalar is
        therefore that of a second pass, in which they have none.
        """
        if not self.rate.has_target:
            return self(batch), None
        drops = self.words.training and any(
            isinstance(each, Dropout | nn.Dropout) and each.p for each in self.words.modules()
        )
        log_probs, _, decisions = self.parse(batch, decide=not drops)
        if drops:
            self.words.eval()
            decisions = self.parse(batch, decide=True).decisions
            self.words.train()
        return log_probs, rate_loss(self.rate, decisions)

    def boundary_shares(self, boundaries: Tensor, counted: Tensor) -> dict[str, float]:
        """Compute shares of words by name and level: `boundaries_1` is the share with a boundary of level 1.

        Args:
            boundaries: (B, T, levels) boundaries of `parse`.
            counted: (B, T) bool, True for the words to count. Without any, all shares are 0.
        """
        sums = boundaries[counted].sum(0) / counted.sum().clamp(min=1)
        return {f"boundaries_{level}": share for level, share in enumerate(sums.tolist(), 1)}
