"""Rewards that look at the classifier's verdict alone."""

from __future__ import annotations

import math
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


@REWARDS.register("margin.v1")
@dataclass(frozen=True)
class Margin(Reward):
    """log P(gold | X) - log P(y | X) for the most probable other class y.

    The logarithm of the odds of the two, above 0 where the verdict is right; unlike the log-likelihood, it goes on to
    grow where the verdict is sure.
    """

    name = "margin.v1"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        others = episodes.log_probs.scatter(1, episodes.sentences.labels[:, None], -math.inf)
        return {"margin": episodes.log_likelihood - others.amax(1)}
