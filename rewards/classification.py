"""Rewards that look at the classifier's verdict alone."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hs_env.types import Episodes

from .base import REWARDS, Reward


@REWARDS.register("log_likelihood.v1")
@dataclass(frozen=True)
class LogLikelihood(Reward):
    """log P(gold | X), at most 0."""

    name = "log_likelihood.v1"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        return {"log_likelihood": episodes.log_likelihood}


@REWARDS.register("accuracy.v1")
@dataclass(frozen=True)
class Accuracy(Reward):
    """1 where the most probable class is the gold class, else 0."""

    name = "accuracy.v1"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        return {"accuracy": (episodes.predictions == episodes.sentences.labels).float()}
