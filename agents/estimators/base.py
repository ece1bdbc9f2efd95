"""The interface of gradient estimators, and the sampled episodes that most of them use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from hs_env.compute import uniform
from hs_env.errors import HsEnvError, shown
from hs_env.models.encoder import StructuredEncoder
from hs_env.models.rate import Decisions
from hs_env.models.state import EncoderState
from hs_env.registry import Registry
from hs_env.rewards import Reward, Rewarded
from hs_env.types import Episodes, SentenceBatch

from ..choice import Choice, choice_of
from ..policy import PolicyNet
from ..rollout import Rollout


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedReward:
    """The mean reward of a policy on a batch: estimators estimate its gradient.

    Attributes:
        encoder: Frozen encoder.
        policy: P-Net.
        batch: B sentences.
        reward: Reward of finished episodes.
        samples: Number S of episodes per sentence.
    """

    encoder: StructuredEncoder
    policy: PolicyNet
    batch: SentenceBatch
    reward: Reward
    samples: int

    @property
    def words(self) -> int:
        """Total number of words."""
        return int(self.batch.lengths.sum())

    def earned(self, sentences: SentenceBatch, actions: Tensor, state: EncoderState) -> tuple[Episodes, Rewarded]:
        """Make finished episodes and compute their rewards."""
        episodes = self.encoder.episodes(sentences, actions, state)
        return episodes, self.reward(episodes)


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """An estimate of the gradient of the mean reward.

    Attributes:
        sampled: Sampled episodes.
        earned: Their rewards.
        objective: Scalar whose gradient is the estimate; its value has no meaning.
        passes: Cost: the number of passes of the encoder over each sentence.
        metrics: More numbers to log, by name.
    """

    sampled: Rollout
    earned: Rewarded
    objective: Tensor
    passes: float
    metrics: dict[str, float] = field(default_factory=dict)


class Estimator(ABC):
    """Estimates the gradient of E[reward] with respect to the parameters of a policy.

    Attributes:
        title: Name in tables.
        unbiased: Whether the expectation of the estimate is the gradient.
        binary: Whether it supports two actions only.
        compares_samples: Whether it needs two or more samples per sentence.
    """

    title: ClassVar[str]
    unbiased: ClassVar[bool]
    binary: ClassVar[bool] = False
    compares_samples: ClassVar[bool] = False

    def __init__(self, state_size: int = 0) -> None:  # noqa: B027
        """Create an estimator for observations of width `state_size`; most do not depend on it."""

    def to(self, device: torch.device) -> None:  # noqa: B027
        """Move learned parameters, if there are any, to a device before training."""

    @abstractmethod
    def estimate(self, expected: ExpectedReward, generator: torch.Generator | None = None) -> Estimate:
        """Sample episodes, estimate the gradient from them, and update the estimator's state, such as an average.

        Args:
            expected: Policy, encoder, sentences, reward and number of samples per sentence.
            generator: Generator on the CPU; None is torch's global one.

        Returns:
            Estimate, whose `objective` is a scalar to maximise: its gradient is the estimate.
        """

    def steps(self, expected: ExpectedReward, generator: torch.Generator | None = None) -> Iterator[Estimate]:
        """Make the estimates of one update: the policy takes a step after each. By default there is one."""
        yield self.estimate(expected, generator)

    def state_dict(self) -> dict[str, Any]:
        """Return the learned state as nested dicts of tensors and JSON values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load a state from `state_dict`.

        Raises:
            HsEnvError: If the state is of another estimator.
        """
        if set(state) != set(self.state_dict()):
            raise HsEnvError(f"This is no state of {self.title}: the keys are {sorted(state)}.")


ESTIMATORS: Registry[type[Estimator]] = Registry("estimator", group="hs_env.estimators", subclasses_of=(Estimator,))
"""Classes of estimators by versioned name."""


def checked(estimate: Estimate, estimator: Estimator) -> Estimate:
    """Return an estimate whose objective is a scalar with a gradient.

    Raises:
        HsEnvError: If the estimator has returned something else.
    """
    name = type(estimator).__name__
    if not isinstance(estimate, Estimate):
        raise HsEnvError(f"The estimator {name} must return an Estimate, got {shown(estimate)}.")
    objective: Any = estimate.objective
    if not isinstance(objective, Tensor) or objective.ndim or not objective.requires_grad:
        came = shown(objective)
        if isinstance(objective, Tensor):
            came = f"a tensor of shape {tuple(objective.shape)} with{'' if objective.requires_grad else 'out'} gradient"
        raise HsEnvError(
            f"The objective of the estimator {name} must be a scalar tensor that depends on the policy, such as "
            f"(advantages.detach() * log_probs).sum(1).mean(); got {came}."
        )
    return estimate


class Trace:
    """Records the distributions and actions of a policy at each word, and the states if `keep_states`.

    `batch` has the sentences that the encoder was started on, by default those of the expected reward.
    """

    def __init__(self, expected: ExpectedReward, keep_states: bool = False, batch: SentenceBatch | None = None) -> None:
        self._encoder, self._keep = expected.encoder, keep_states
        self._logits = expected.policy.on(expected.batch if batch is None else batch)
        self._gradients = torch.is_grad_enabled()
        self.states: list[EncoderState] = []
        self._choices: list[Choice] = []
        self._actions: list[Tensor] = []

    def choice(self, state: EncoderState) -> Choice:
        """Compute the policy's distribution in a state; gradients reach only the policy. Finished rows are not free."""
        if self._keep:
            self.states.append(state)
        observation, legal = self._encoder.observe(state), self._encoder.legal(state)
        with torch.set_grad_enabled(self._gradients):
            choice = choice_of(self._logits(observation, state.index_at(state.position)), legal)
        choice.free = choice.free & state.reading
        self._choices.append(choice)
        return choice

    def take(self, actions: Tensor) -> None:
        """Record the actions (R,) at this word."""
        self._actions.append(actions)

    @property
    def logits(self) -> Tensor:
        """Logits: (R, T) for two actions, (R, T, k) for more."""
        return torch.stack([choice.logits for choice in self._choices], 1)

    @property
    def legal(self) -> Tensor:
        """(R, T, k) bool, the legal actions."""
        return torch.stack([choice.legal for choice in self._choices], 1)

    @property
    def free(self) -> Tensor:
        """(R, T) bool, whether several actions were legal; False after the last word."""
        return torch.stack([choice.free for choice in self._choices], 1)

    @property
    def actions(self) -> Tensor:
        """(R, T) int64, the actions."""
        return torch.stack(self._actions, 1)

    @property
    def decisions(self) -> Decisions | None:
        """Free decisions of all rows; None for more than two actions."""
        choices, actions = choice_of(self.logits, self.legal), self.actions
        choices.free = self.free
        row = torch.arange(len(actions), device=actions.device)
        return choices.decisions(actions, row[:, None].expand_as(actions))

    @property
    def log_probs(self) -> Tensor:
        """(R, T) log-probabilities of the actions; 0 where they were not free."""
        decided = zip(self._choices, self._actions, strict=True)
        return torch.stack([choice.log_prob(actions) for choice, actions in decided], 1)

    @property
    def entropy(self) -> Tensor:
        """(R, T) entropies in nats; 0 where the actions were not free."""
        return torch.stack([choice.entropy() for choice in self._choices], 1)


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Sampled episodes with the state and the distribution at each word: a random walk through the states.

    Attributes:
        sentences: Sentence of each of R rows, S consecutive rows per sentence.
        states: The T states before each decision.
        choices: Distributions at all words, with gradients: logits (R, T) or (R, T, k); legal (R, T, k); free (R, T),
            False after the last word.
        uniforms: (R, T) uniform random numbers that selected the actions, see `Choice.draw`.
        actions: (R, T) int64.
        rollout: Finished episodes.
        earned: Their rewards.
    """

    sentences: SentenceBatch
    states: list[EncoderState]
    choices: Choice
    uniforms: Tensor
    actions: Tensor
    rollout: Rollout
    earned: Rewarded


def walk(expected: ExpectedReward, generator: torch.Generator | None = None) -> Walk:
    """Sample `expected.samples` episodes per sentence; gradients reach only the policy."""
    encoder, samples = expected.encoder, expected.samples
    sentences = expected.batch.repeat(samples)
    uniforms = uniform(sentences.tokens.shape, generator, sentences.tokens.device)
    trace = Trace(expected, keep_states=True)

    def decide(t: int, state: EncoderState) -> Tensor:
        actions = trace.choice(state).draw(uniforms[:, t]) * state.reading
        trace.take(actions)
        return actions

    with torch.no_grad():
        state = encoder.unroll(encoder.start(expected.batch, samples), uniforms.shape[1], decide, assume_legal=True)
        episodes, earned = expected.earned(sentences, trace.actions, state)
    choices = choice_of(trace.logits, trace.legal)
    choices.free = trace.free
    rollout = Rollout(episodes, choices.log_prob(trace.actions), choices.entropy(), decisions=trace.decisions)
    return Walk(sentences, trace.states, choices, uniforms, trace.actions, rollout, earned)


def mean_objective(weights: Tensor, logits: Tensor) -> Tensor:
    """Return a scalar whose gradient with respect to each logit is the weight divided by the number of episodes."""
    return (weights.detach() * logits).sum() / len(logits)
