"""Score-function estimators: `A grad log pi(a)` with an advantage A (Williams 1992), and their clipped forms.

All are one estimator with the settings of a `Score`. The advantage is `A = (R - b) / c`, with a baseline b and a scale
c. The objective has the ratio r of the probabilities of the sampled actions, after and before the update (Schulman et
al. 2017)::

    min(r A, clamp(r, 1 - clip, 1 + clip) A)

In the first step of an update r is 1, and the gradient of the objective is `A grad log pi(a)`. An update may take more
steps on the same episodes. The classifier is frozen meanwhile, so what the P-Net saw in these episodes does not change:
a further step costs one pass of the P-Net, and no pass of the encoder.

A `discount` gamma gives each word an advantage of its own, for rewards that come at each step (Dauncey and Wattenhofer,
ICML 2026). With the rewards r_t and baselines b_t of the steps::

    A_t = sum_{k >= t} gamma^(k - t) (r_k - b_k)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Literal

import torch
from torch import Tensor

from hs_env import ranks
from hs_env.errors import HsEnvError, check_choices, check_ranges
from hs_env.rewards import Rewarded

from ..choice import choice_of
from ..rollout import Rollout, rollout
from .base import ESTIMATORS, Estimate, Estimator, ExpectedReward

BaselineName = Literal["leave_one_out", "group_mean", "batch_mean", "moving_average", "self_critical"]
ScaleName = Literal["none", "group", "running"]
RatioName = Literal["sequence", "word"]
_LARGEST: Final = 20.0  # bound of a log ratio, so that ratios are finite


@dataclass(frozen=True)
class Score:
    """Settings of a score-function estimator.

    Attributes:
        baseline: Number that is subtracted from a reward: the mean of the sentence's other samples, the mean of all its
            samples, the mean of the other episodes of the batch (at the same step, with a discount; 0 if there is no
            other), a moving average over batches, or the reward of the greedy actions.
        scale: Divisor of the advantages: 1, the standard deviation of the sentence's samples, or the root of a moving
            average of the variance of all advantages, at least 1.
        updates: Steps of the optimiser on the same episodes.
        clip: Distance from 1 at which a ratio is clipped; 0 never clips.
        ratio: Whether ratios are those of whole sequences of actions, or of single words.
        discount: Factor gamma per step of the rewards after a word, 0 to 1, that make its advantage; ratios are then
            those of words. With None, the whole reward of an episode makes the advantage of all its words.

    Raises:
        HsEnvError: If a value is out of range or unknown, or a discount comes with a baseline or a scale that is for
            whole episodes.
    """

    baseline: BaselineName
    scale: ScaleName = "none"
    updates: int = 1
    clip: float = 0.0
    ratio: RatioName = "sequence"
    discount: float | None = None

    def __post_init__(self) -> None:
        check_choices(self)
        check_ranges(self, updates=(1, 1e6), clip=(0, 1))
        if self.discount is None:
            return
        check_ranges(self, discount=(0, 1))
        if self.baseline in ("moving_average", "self_critical") or self.scale != "none":
            raise HsEnvError(
                f"A discount gives each step an advantage, but the baseline {self.baseline!r} with the scale "
                f"{self.scale!r} is for whole episodes. Choose the baseline 'leave_one_out', 'group_mean' or "
                "'batch_mean', and the scale 'none'; or set no discount."
            )

    @property
    def compares_samples(self) -> bool:
        """Whether the advantage needs several samples per sentence."""
        return self.baseline in ("leave_one_out", "group_mean") or self.scale == "group"


def _mean_of_others(values: Tensor, count: Tensor | int) -> Tensor:
    """Return, for each row of `values` (R, T), the mean of the other rows, or 0 if there are none.

    `count` is the number of rows that are not padding.
    """
    others = torch.as_tensor(count - 1, device=values.device).clamp(min=1)
    return (values.sum(0) - values) / others


class ScoreFunction(Estimator):
    """Implements the family; subclasses give it a name and settings. Forced actions have no log-probability.

    Attributes:
        preset: Settings of this name.
        score: Settings of this estimator.
    """

    unbiased = True
    preset: ClassVar[Score]
    _DECAY: ClassVar[dict[str, float]] = {"average": 0.95, "variance": 0.9}

    def __init__(self, state_size: int = 0, **changes: Any) -> None:
        """Create an estimator; `changes` replace settings of the preset."""
        self.score = replace(self.preset, **changes)
        self.state: dict[str, float | None] = {}
        if self.score.baseline == "moving_average":
            self.state["average"] = None
        if self.score.scale == "running":
            self.state["variance"] = 1.0

    def estimate(self, expected: ExpectedReward, generator: torch.Generator | None = None) -> Estimate:
        """See `Estimator.estimate`."""
        return next(self.steps(expected, generator))

    def steps(self, expected: ExpectedReward, generator: torch.Generator | None = None) -> Iterator[Estimate]:
        """See `Estimator.steps`; all are made of the same episodes."""
        agent = expected.policy.agent()
        with torch.no_grad():
            sampled = rollout(
                expected.encoder, agent, expected.batch, samples=expected.samples, generator=generator, record=True
            )
            earned = expected.reward(sampled.episodes)
            advantages = self._advantages_of(earned, sampled, expected)
        before: Tensor | None = None
        for _ in range(self.score.updates):
            now = evaluated(sampled, expected)
            before = now.log_probs.detach() if before is None else before
            yield self._estimate(now, before, earned, advantages, expected.samples)

    def _advantages_of(self, earned: Rewarded, sampled: Rollout, expected: ExpectedReward) -> Tensor:
        """Return the advantages of episodes, (R, 1), or with a discount those of their steps, (R, T)."""
        if self.score.discount is None:
            return self.advantages(earned.total.view(-1, expected.samples), expected).view(-1, 1)
        mask = sampled.episodes.sentences.mask
        rewards = earned.by_step(mask)
        if self.score.baseline == "batch_mean":
            ranks.require_one("The baseline batch_mean")
            surplus = (rewards - _mean_of_others(rewards, mask.sum(0))) * mask
        else:
            groups = rewards.view(-1, expected.samples, rewards.shape[1])
            surplus = (groups - self._baseline(groups, None)).view_as(rewards)
        return discounted(surplus, self.score.discount)

    def advantages(self, rewards: Tensor, expected: ExpectedReward | None = None) -> Tensor:
        """Return the advantages of (B, S) rewards, and update the state. `expected` is for the greedy baseline."""
        advantages = rewards - self._baseline(rewards, expected)
        match self.score.scale:
            case "group":
                advantages = advantages / (rewards.std(1, keepdim=True) + 1e-4)
            case "running":
                variance = self._averaged("variance", ranks.variance(advantages).item())
                advantages = advantages / max(1.0, variance**0.5)
        return advantages

    def _baseline(self, rewards: Tensor, expected: ExpectedReward | None) -> Tensor:
        """Return the baselines, in a shape that broadcasts to (B, S), or to (B, S, T) rewards of steps."""
        match self.score.baseline:
            case "leave_one_out":
                return (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
            case "group_mean":
                return rewards.mean(1, keepdim=True)
            case "batch_mean":
                ranks.require_one("The baseline batch_mean")
                return _mean_of_others(rewards.view(-1, 1), rewards.numel()).view_as(rewards)
            case "moving_average":
                before = self.state["average"]
                self._averaged("average", ranks.mean(rewards.mean()).item())
                return rewards.new_tensor(before or 0.0)
        assert expected is not None
        greedy = rollout(expected.encoder, expected.policy.agent(), expected.batch, deterministic=True)
        return expected.reward(greedy.episodes).total[:, None]

    def _averaged(self, name: str, now: float) -> float:
        """Move an average towards its newest value, and return it; the first value is its start."""
        before = self.state[name]
        after = now if before is None else before + (1 - self._DECAY[name]) * (now - before)
        self.state[name] = after
        return after

    def _estimate(
        self, sampled: Rollout, before: Tensor, earned: Rewarded, advantages: Tensor, samples: int
    ) -> Estimate:
        """Make the estimate of one step of the optimiser.

        Args:
            sampled: Episodes, with the log-probabilities of their actions now.
            before: (R, T) log-probabilities before the update.
            earned: Rewards.
            advantages: (R, 1) or (R, T).
            samples: Number S of episodes per sentence.
        """
        mask, clip = sampled.episodes.sentences.mask, self.score.clip
        log_ratio = (sampled.log_probs - before).clamp(-_LARGEST, _LARGEST)
        change = log_ratio.detach()[mask]
        metrics = {"approx_kl": (change.exp() - 1 - change).mean().item()}
        by_word = self.score.ratio == "word" or self.score.discount is not None
        if not by_word:
            log_ratio = log_ratio.sum(1, keepdim=True).clamp(-_LARGEST, _LARGEST)
        ratio = log_ratio.exp()
        objective = ratio * advantages
        if clip:
            clipped = ratio.clamp(1 - clip, 1 + clip) * advantages
            count = mask.sum() if by_word else len(mask)
            metrics["clip_ratio"] = float((clipped < objective).sum() / count)
            objective = torch.minimum(objective, clipped)
        if samples > 1:
            equal = earned.total.view(-1, samples).std(1) < 1e-8
            metrics["frac_reward_zero_std"] = equal.float().mean().item()
        passes = samples + (self.score.baseline == "self_critical")
        return Estimate(sampled, earned, objective.sum(1).mean(), passes, metrics)

    def state_dict(self) -> dict[str, Any]:
        """See `Estimator.state_dict`."""
        return dict(self.state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Estimator.load_state_dict`."""
        super().load_state_dict(state)
        self.state = dict(state)


def discounted(rewards: Tensor, discount: float) -> Tensor:
    """Return the sum of the rewards (R, T) from each step on, each times `discount` per step of distance, (R, T)."""
    returns, following = [], torch.zeros_like(rewards[:, 0])
    for reward in reversed(rewards.unbind(1)):
        following = reward + discount * following
        returns.append(following)
    return torch.stack(returns[::-1], 1)


def evaluated(sampled: Rollout, expected: ExpectedReward) -> Rollout:
    """Return sampled episodes with the log-probabilities and entropies that the policy gives them now.

    Gradients reach the policy. The encoder is not called.
    """
    trajectories, shape = sampled.trajectories, sampled.episodes.actions.shape
    assert trajectories is not None
    choices = choice_of(expected.policy.logits(expected.batch, trajectories), trajectories.legal)
    log_probs, entropy = choices.log_prob(trajectories.actions), choices.entropy()
    return replace(
        sampled,
        log_probs=trajectories.padded(log_probs, shape),
        entropy=trajectories.padded(entropy, shape),
        decisions=choices.decisions(trajectories.actions, trajectories.row),
    )


@ESTIMATORS.register("rloo.v1")
class LeaveOneOut(ScoreFunction):
    """Uses the mean reward of the sentence's other samples as the baseline (Kool et al. 2019)."""

    title = "REINFORCE"
    preset = Score("leave_one_out")


@ESTIMATORS.register("moving_average.v1")
class MovingAverage(ScoreFunction):
    """Uses a moving average of the rewards of earlier batches as the baseline."""

    title = "REINFORCE, moving average"
    preset = Score("moving_average")


@ESTIMATORS.register("self_critical.v1")
class SelfCritical(ScoreFunction):
    """Uses the reward of the policy's greedy actions as the baseline (Rennie et al. 2017)."""

    title = "REINFORCE, self-critical"
    preset = Score("self_critical")


@ESTIMATORS.register("grpo.v1")
class GRPO(ScoreFunction):
    """Standardises the rewards of a sentence's samples, and clips the ratio of each word (Shao et al. 2024).

    There is no penalty for the distance from a reference policy, and the words of a sentence are summed, not averaged.
    """

    title = "GRPO"
    unbiased = False
    preset = Score("group_mean", scale="group", clip=0.2, ratio="word")


@ESTIMATORS.register("ppo.v1")
class PPO(ScoreFunction):
    """Takes 15 steps with the clipped ratio of whole sequences of actions (Havrylov, Kruszewski, Joulin 2019)."""

    title = "PPO, whole sequences"
    unbiased = False
    preset = Score("self_critical", scale="running", updates=15, clip=0.2)
