"""What an estimator of a policy's gradient is, and the sampled episodes that most of them start from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hs_env.errors import HsEnvError
from hs_env.models.encoder import EncoderState, StructuredEncoder
from hs_env.registry import Registry
from hs_env.rewards import Reward, Rewarded
from hs_env.types import Episodes, SentenceBatch

from ..policy import Logits, binary_entropy
from ..rollout import Rollout


@dataclass(frozen=True, slots=True)
class Problem:
    """A reward of binary decisions that are made one after another, and what is learnt from.

    Attributes:
        encoder: Frozen; says what actions do.
        logits: The policy.
        batch: B sentences.
        reward: Of finished episodes.
        samples: S, episodes that are drawn for each sentence.
    """

    encoder: StructuredEncoder
    logits: Logits
    batch: SentenceBatch
    reward: Reward
    samples: int

    @property
    def words(self) -> int:
        """Words in all sentences of the batch."""
        return int(self.batch.lengths.sum())

    def earned(self, sentences: SentenceBatch, actions: Tensor, state: EncoderState) -> tuple[Episodes, Rewarded]:
        """The reward of finished episodes."""
        episodes = Episodes(sentences, actions, self.encoder.finish(state))
        return episodes, self.reward(episodes)


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate of the gradient of the mean reward.

    Attributes:
        sampled: Episodes that it was made from.
        earned: Their rewards.
        objective: A scalar whose gradient is the estimate; its value means nothing.
        passes: Readings of a whole sentence that it took, for each sentence.
    """

    sampled: Rollout
    earned: Rewarded
    objective: Tensor
    passes: float


class Estimator(ABC):
    """Estimates the gradient of E[reward] by the parameters of a policy.

    Attributes:
        title: What it is called in tables.
        unbiased: Its expectation is the gradient.
    """

    title: str
    unbiased: bool

    @abstractmethod
    def estimate(self, problem: Problem, generator: torch.Generator | None = None) -> Estimate:
        """Make one estimate, and learn from it what later ones may use."""

    def state_dict(self) -> dict[str, Any]:
        """What it has learnt: nested dicts of tensors and JSON values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state made by `state_dict`.

        Raises:
            HsEnvError: If it is the state of another estimator.
        """
        if set(state) != set(self.state_dict()):
            raise HsEnvError(f"This is no state of {self.title}: its keys are {sorted(state)}.")


ESTIMATORS: Registry[Callable[[int], Estimator]] = Registry("estimator")
"""Makers of estimators by versioned name, from the width of what the policy sees."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Episodes that were sampled step by step, with all that lay on the way.

    Attributes:
        sentences: Of each of R rows, S consecutive ones a sentence.
        states: Before each decision, T of them.
        logits: (R, T) with gradient.
        free: (R, T) bool: the decision was the policy's own, neither forced nor behind the end.
        uniforms: (R, T): action 1 was taken where it was below the probability of 1.
        actions: (R, T) int64.
        episodes: The finished episodes.
        earned: Their rewards.
    """

    sentences: SentenceBatch
    states: list[EncoderState]
    logits: Tensor
    free: Tensor
    uniforms: Tensor
    actions: Tensor
    episodes: Episodes
    earned: Rewarded

    @property
    def rollout(self) -> Rollout:
        """The episodes with log-probabilities and entropies."""
        log_probs = nn.functional.logsigmoid(torch.where(self.actions == 1, self.logits, -self.logits))
        return Rollout(self.episodes, log_probs * self.free, binary_entropy(self.logits) * self.free)


def walk(problem: Problem, generator: torch.Generator | None = None) -> Walk:
    """Sample `problem.samples` episodes of each sentence; the encoder runs without gradients, the policy with."""
    encoder, samples = problem.encoder, problem.samples
    sentences = problem.batch.repeat(samples)
    rows, width = sentences.tokens.shape
    uniforms = torch.rand(rows, width, generator=generator)
    with torch.no_grad():
        state = encoder.start(problem.batch, samples)
    states: list[EncoderState] = []
    logits: list[Tensor] = []
    frees: list[Tensor] = []
    actions: list[Tensor] = []
    for t in range(width):
        states.append(state)
        with torch.no_grad():
            observation, legal = encoder.observe(state), encoder.legal(state)
        logit = problem.logits(observation)
        free = legal.all(1) & state.reading
        action = decided(logit, uniforms[:, t], free, legal, state.reading)
        with torch.no_grad():
            state = encoder.advance(state, action)
        logits.append(logit)
        frees.append(free)
        actions.append(action)
    table = torch.stack(actions, 1)
    with torch.no_grad():
        episodes, earned = problem.earned(sentences, table, state)
    return Walk(sentences, states, torch.stack(logits, 1), torch.stack(frees, 1), uniforms, table, episodes, earned)


def decided(logit: Tensor, uniform: Tensor, free: Tensor, legal: Tensor, reading: Tensor) -> Tensor:
    """(R,) int64: action 1 where the uniform is below its probability; the legal one where forced; 0 behind the end."""
    wanted = torch.where(free, uniform < torch.sigmoid(logit.detach()), legal[:, 1])
    return (wanted & reading).long()


def mean_objective(weights: Tensor, logits: Tensor) -> Tensor:
    """A scalar whose gradient by each logit, (R, T), is its weight, averaged over the episodes."""
    return (weights.detach() * logits).sum() / len(logits)
