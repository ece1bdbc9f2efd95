"""What an estimator of a policy's gradient is, and the sampled episodes that most of them start from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from hs_env.errors import HsEnvError
from hs_env.models.encoder import EncoderState, StructuredEncoder
from hs_env.registry import Registry
from hs_env.rewards import Reward, Rewarded
from hs_env.types import Episodes, SentenceBatch

from ..choice import Choice, choice_of
from ..policy import Logits
from ..rollout import Rollout


@dataclass(frozen=True, slots=True)
class ExpectedReward:
    """The mean reward of a policy on a batch, whose gradient is estimated.

    Attributes:
        encoder: The frozen encoder.
        logits: The policy.
        batch: B sentences.
        reward: Reward of finished episodes.
        samples: S, the episodes sampled for each sentence.
    """

    encoder: StructuredEncoder
    logits: Logits
    batch: SentenceBatch
    reward: Reward
    samples: int

    @property
    def words(self) -> int:
        """The number of words of all sentences."""
        return int(self.batch.lengths.sum())

    def earned(self, sentences: SentenceBatch, actions: Tensor, state: EncoderState) -> tuple[Episodes, Rewarded]:
        """Finished episodes and their rewards."""
        episodes = Episodes(sentences, actions, self.encoder.finish(state))
        return episodes, self.reward(episodes)


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate of the gradient of the mean reward.

    Attributes:
        sampled: The episodes that it was made from.
        earned: Their rewards.
        objective: A scalar whose gradient is the estimate; its value has no meaning.
        passes: The number of times that each sentence was read.
    """

    sampled: Rollout
    earned: Rewarded
    objective: Tensor
    passes: float


class Estimator(ABC):
    """Estimates the gradient of E[reward] by the parameters of a policy.

    Args:
        state_size: D, the width of an observation.

    Attributes:
        title: Name in tables.
        unbiased: Whether its expectation is the gradient.
        binary: Whether it exists for two actions only.
    """

    title: ClassVar[str]
    unbiased: ClassVar[bool]
    binary: ClassVar[bool] = False

    def __init__(self, state_size: int = 0) -> None:  # noqa: B027
        """Most estimators do not depend on the width of an observation."""

    @abstractmethod
    def estimate(self, expected: ExpectedReward, generator: torch.Generator | None = None) -> Estimate:
        """Make one estimate, and update what later estimates use."""

    def state_dict(self) -> dict[str, Any]:
        """The learned state: nested dicts of tensors and JSON values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load a state made by `state_dict`.

        Raises:
            HsEnvError: If it is the state of another estimator.
        """
        if set(state) != set(self.state_dict()):
            raise HsEnvError(f"This is no state of {self.title}: its keys are {sorted(state)}.")


ESTIMATORS: Registry[type[Estimator]] = Registry("estimator", group="hs_env.estimators")
"""Classes of estimators by versioned name; each is made from the width of an observation."""


class Trace:
    """Records the decisions of a policy while an encoder reads: states, distributions and actions at each word.

    Args:
        expected: The policy and the encoder.
        keep_states: Whether to record the states.
    """

    def __init__(self, expected: ExpectedReward, keep_states: bool = False) -> None:
        self._expected, self._keep = expected, keep_states
        self._gradients = torch.is_grad_enabled()
        self.states: list[EncoderState] = []
        self._choices: list[Choice] = []
        self._actions: list[Tensor] = []

    def choice(self, state: EncoderState) -> Choice:
        """The policy's distribution in a state; only the policy has gradients. Finished rows are not free."""
        encoder = self._expected.encoder
        if self._keep:
            self.states.append(state)
        observation, legal = encoder.observe(state), encoder.legal(state)
        with torch.set_grad_enabled(self._gradients):
            choice = choice_of(self._expected.logits(observation), legal)
        choice.free = choice.free & state.reading
        self._choices.append(choice)
        return choice

    def take(self, actions: Tensor) -> None:
        """Record the hard actions (R,) at this word."""
        self._actions.append(actions)

    @property
    def logits(self) -> Tensor:
        """(R, T) for two actions, (R, T, k) for more."""
        return torch.stack([choice.logits for choice in self._choices], 1)

    @property
    def legal(self) -> Tensor:
        """(R, T, k) bool."""
        return torch.stack([choice.legal for choice in self._choices], 1)

    @property
    def free(self) -> Tensor:
        """(R, T) bool: the policy had a choice; False after the last word."""
        return torch.stack([choice.free for choice in self._choices], 1)

    @property
    def actions(self) -> Tensor:
        """(R, T) int64."""
        return torch.stack(self._actions, 1)

    @property
    def log_probs(self) -> Tensor:
        """(R, T) log-probabilities of the actions; 0 where they were not free."""
        decided = zip(self._choices, self._actions, strict=True)
        return torch.stack([choice.log_prob(actions) for choice, actions in decided], 1)

    @property
    def entropy(self) -> Tensor:
        """(R, T) entropies in nats; 0 where the actions were not free."""
        return torch.stack([choice.entropy() for choice in self._choices], 1)


@dataclass(frozen=True, slots=True)
class Walk:
    """Sampled episodes, with the state and the distribution at each word.

    Attributes:
        sentences: The sentence of each of R rows, S consecutive ones a sentence.
        states: The T states before each decision.
        choices: The distributions at all words: logits (R, T) or (R, T, k), with gradient; legal (R, T, k); free (R, T)
            is False after the last word.
        uniforms: (R, T): the numbers that the actions were drawn with, see `Choice.draw`.
        actions: (R, T) int64.
        rollout: The finished episodes.
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
    """Sample `expected.samples` episodes of each sentence; the encoder has no gradients, the policy has."""
    encoder, samples = expected.encoder, expected.samples
    sentences = expected.batch.repeat(samples)
    uniforms = torch.rand(sentences.tokens.shape, generator=generator, device=sentences.tokens.device)
    trace = Trace(expected, keep_states=True)

    def decide(t: int, state: EncoderState) -> Tensor:
        actions = trace.choice(state).draw(uniforms[:, t]) * state.reading
        trace.take(actions)
        return actions

    with torch.no_grad():
        state = encoder.unroll(encoder.start(expected.batch, samples), uniforms.shape[1], decide)
        episodes, earned = expected.earned(sentences, trace.actions, state)
    choices = choice_of(trace.logits, trace.legal)
    choices.free = trace.free
    rollout = Rollout(episodes, choices.log_prob(trace.actions), choices.entropy())
    return Walk(sentences, trace.states, choices, uniforms, trace.actions, rollout, earned)


def mean_objective(weights: Tensor, logits: Tensor) -> Tensor:
    """A scalar whose gradient by each logit, (R, T) or (R, T, k), is its weight, averaged over the episodes."""
    return (weights.detach() * logits).sum() / len(logits)
