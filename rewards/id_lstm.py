"""Define the reward of ID-LSTM (Zhang, Huang, Zhao, AAAI 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hs_env.errors import check_ranges
from hs_env.types import Episodes

from .base import REWARDS, Reward
from .counts import deleted_share

if TYPE_CHECKING:
    from torch import Tensor


@REWARDS.register("id_lstm.v1")
@dataclass(frozen=True)
class IDLSTMReward(Reward):
    """R = log P(gold|X) + gamma * d/L for d deleted words of L words.

    Attributes:
        gamma: Reward for deleting all words; each word earns gamma / L.
    """

    gamma: float = 0.15
    name = "id_lstm.v1"

    def __post_init__(self) -> None:
        check_ranges(self, gamma=(-1e9, 1e9))

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        return {"log_likelihood": episodes.log_likelihood, "deletion": self.gamma * deleted_share(episodes)}
