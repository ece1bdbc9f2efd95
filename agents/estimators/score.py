"""Score-function estimators: `(R - b) grad log pi(a)` with a baseline b (Williams 1992)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..policy import LogitPolicy
from ..rollout import Rollout, rollout
from .base import ESTIMATORS, Estimate, Estimator, ExpectedReward


class ScoreFunction(Estimator):
    """Implements REINFORCE; subclasses define the baseline. Forced actions have no log-probability."""

    unbiased = True
    extra_passes = 0.0

    @abstractmethod
    def baseline(self, rewards: Tensor, expected: ExpectedReward | None = None) -> Tensor:
        """Return the baselines of (B, S) rewards, in a shape that broadcasts to (B, S)."""

    def estimate(self, expected: ExpectedReward, generator: torch.Generator | None = None) -> Estimate:
        """See `Estimator.estimate`."""
        agent = LogitPolicy(expected.logits)
        sampled = rollout(expected.encoder, agent, expected.batch, samples=expected.samples, generator=generator)
        earned = expected.reward(sampled.episodes)
        baseline = self.baseline(earned.total.view(-1, expected.samples), expected)
        objective = score_objective(sampled, earned.total, baseline)
        return Estimate(sampled, earned, objective, expected.samples + self.extra_passes)


def score_objective(sampled: Rollout, rewards: Tensor, baseline: Tensor) -> Tensor:
    """Compute the mean of `(R - b) log pi(a)` for rewards (R,) and baselines that broadcast to (B, S)."""
    advantages = (rewards.view(len(baseline) if baseline.dim() else 1, -1) - baseline).flatten()
    return (advantages * sampled.log_probs.sum(1)).mean()


@ESTIMATORS.register("rloo.v1")
class LeaveOneOut(ScoreFunction):
    """Uses the mean reward of the sentence's other samples as the baseline (Kool et al. 2019)."""

    title = "REINFORCE"

    def baseline(self, rewards: Tensor, expected: ExpectedReward | None = None) -> Tensor:
        """See `ScoreFunction.baseline`."""
        return (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1)


@ESTIMATORS.register("moving_average.v1")
class MovingAverage(ScoreFunction):
    """Uses a moving average of the rewards of earlier batches as the baseline."""

    title = "REINFORCE, moving average"
    _DECAY = 0.95

    def __init__(self, state_size: int = 0) -> None:
        self.average: float | None = None

    def baseline(self, rewards: Tensor, expected: ExpectedReward | None = None) -> Tensor:
        """See `ScoreFunction.baseline`."""
        now = rewards.mean().item()
        before, self.average = (
            self.average,
            now if self.average is None else self.average + (1 - self._DECAY) * (now - self.average),
        )
        return rewards.new_tensor(0.0 if before is None else before)

    def state_dict(self) -> dict[str, Any]:
        """See `Estimator.state_dict`."""
        return {"average": self.average}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Estimator.load_state_dict`."""
        super().load_state_dict(state)
        self.average = state["average"]


@ESTIMATORS.register("self_critical.v1")
class SelfCritical(ScoreFunction):
    """Uses the reward of the policy's greedy actions as the baseline (Rennie et al. 2017)."""

    title = "REINFORCE, self-critical"
    extra_passes = 1.0

    @torch.no_grad()
    def baseline(self, rewards: Tensor, expected: ExpectedReward | None = None) -> Tensor:
        """See `ScoreFunction.baseline`."""
        assert expected is not None
        greedy = rollout(expected.encoder, LogitPolicy(expected.logits), expected.batch, deterministic=True)
        return expected.reward(greedy.episodes).total[:, None]
