"""Define the reward of HS-LSTM (Zhang, Huang, Zhao, AAAI 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hs_env.errors import check_ranges
from hs_env.types import Episodes

from .base import REWARDS, Reward

if TYPE_CHECKING:
    from torch import Tensor


@REWARDS.register("hs_lstm.v1")
@dataclass(frozen=True)
class HSLSTMReward(Reward):
    """R = log P(gold|X) - gamma * (n/L + 0.1 * L/n) for n phrases in L words.

    The structure term has its maximum, `-0.632 gamma`, at n = 0.316 L.

    Attributes:
        gamma: Weight of the structure term; None means 0.1 per class, as in the paper.
    """

    gamma: float | None = None
    name = "hs_lstm.v1"

    def __post_init__(self) -> None:
        if self.gamma is not None:
            check_ranges(self, gamma=(-1e9, 1e9))

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        gamma = 0.1 * episodes.log_probs.shape[1] if self.gamma is None else self.gamma
        share = episodes.closing.sum(1) / episodes.sentences.lengths
        return {"log_likelihood": episodes.log_likelihood, "structure": -gamma * (share + 0.1 / share)}
