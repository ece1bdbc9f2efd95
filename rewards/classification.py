"""Define rewards that depend only on the log-probabilities of the classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hs_env.types import Episodes

from .base import REWARDS, Reward

if TYPE_CHECKING:
    from torch import Tensor


@REWARDS.register("log_likelihood.v1")
@dataclass(frozen=True)
class LogLikelihood(Reward):
    """R = log P(gold | X), at most 0."""

    name = "log_likelihood.v1"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        return {"log_likelihood": episodes.log_likelihood}


@REWARDS.register("accuracy.v1")
@dataclass(frozen=True)
class Accuracy(Reward):
    """R = 1 if the most probable class is the gold class, else 0."""

    name = "accuracy.v1"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        return {"accuracy": (episodes.predictions == episodes.sentences.labels).float()}


@REWARDS.register("margin.v1")
@dataclass(frozen=True)
class Margin(Reward):
    """R = log P(gold | X) - log P(y | X) for the most probable other class y.

    These are the log-odds of the two classes, positive if the prediction is correct. Unlike the log-likelihood, they
    have no upper bound: they keep growing as the prediction becomes more certain.
    """

    name = "margin.v1"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        others = episodes.log_probs.scatter(1, episodes.sentences.labels[:, None], -math.inf)
        return {"margin": episodes.log_likelihood - others.amax(1)}
