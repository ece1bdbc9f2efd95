"""The reward of ID-LSTM (Zhang, Huang, Zhao, AAAI 2018)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from hs_env.types import Episodes, HsEnvError

from .base import REWARDS, Reward


@REWARDS.register("id_lstm.v1")
@dataclass(frozen=True)
class IDLSTMReward(Reward):
    """R = log P(gold|X) + gamma * d/L for d deleted ones of L words.

    Attributes:
        gamma: Weight of the structure.
    """

    gamma: float = 0.15
    name = "id_lstm.v1"

    def __post_init__(self) -> None:
        if not (isinstance(self.gamma, int | float) and math.isfinite(self.gamma)):
            raise HsEnvError(f"gamma must be a finite number, got {self.gamma!r}.")

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        deleted = 1 - episodes.num_retained / episodes.sentences.lengths
        return {"log_likelihood": episodes.log_likelihood, "structure": self.gamma * deleted}
