"""The agent protocol: what every P-Net, learned or not, can do, and the registry of the kinds of agents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hs_env.errors import HsEnvError
from hs_env.models.encoder import StructuredEncoder
from hs_env.problems.problem import Problem
from hs_env.registry import Registry
from hs_env.rewards import Reward
from hs_env.storage import load_state
from hs_env.types import Episodes, SentenceBatch


@dataclass(frozen=True, slots=True)
class PolicyInput:
    """What an agent decides from, at one word of R episodes.

    Attributes:
        observation: (R, D) float32, from `StructuredEncoder.observe`.
        legal: (R, k) bool, at least one True in each row.
        memory: (R, M), from `Agent.begin` or the last decision.
        deterministic: Take the most probable action instead of sampling.
        generator: Random generator to sample with; None is torch's global one.
    """

    observation: Tensor
    legal: Tensor
    memory: Tensor
    deterministic: bool = True
    generator: torch.Generator | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What an agent decides at one word of R episodes.

    Attributes:
        actions: (R,) int64.
        log_probs: (R,) float32 log-probability of each action; 0 where only one was legal, because a forced action is
            not the policy's choice.
        entropy: (R,) float32, in nats; 0 where only one action was legal.
        memory: (R, M), an input of the next decision.
    """

    actions: Tensor
    log_probs: Tensor
    entropy: Tensor
    memory: Tensor


class Agent(ABC):
    """A policy over the actions of a structured encoder.

    An agent keeps what it must remember of an episode in `memory`, one row per episode, so that the rows of finished
    episodes can be dropped.
    """

    def begin(self, batch: SentenceBatch, samples: int = 1) -> Tensor:
        """(R, M) memory at the first word of each episode, `samples` consecutive rows a sentence. M = 0 by default."""
        return batch.lengths.new_zeros(len(batch) * samples, 0)

    @abstractmethod
    def act(self, inputs: PolicyInput) -> Decision:
        """Choose a legal action for each row."""


def check_width(observation: Tensor, state_size: int) -> None:
    """Refuse observations of another width than the agent was made for.

    Raises:
        HsEnvError: Naming both widths.
    """
    if observation.shape[-1] != state_size:
        raise HsEnvError(
            f"The agent was made for states of width {state_size}, and the encoder's are {observation.shape[-1]} wide. "
            "Use the agent and the classifier of the same run."
        )


@dataclass(frozen=True, slots=True)
class Update:
    """The result of one update of an agent.

    Attributes:
        episodes: The episodes that it learned from, in the order of the batch, S consecutive rows a sentence.
        metrics: Numbers to log.
    """

    episodes: Episodes
    metrics: dict[str, float]


class LearningAgent(Agent):
    """An agent that the trainer can train."""

    @abstractmethod
    def update(
        self,
        encoder: StructuredEncoder,
        batch: SentenceBatch,
        reward: Reward,
        *,
        generator: torch.Generator | None = None,
    ) -> Update:
        """Sample episodes on the frozen `encoder` and learn from their rewards, once."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Save what acting needs, as a file that `load_agent` reads."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that training needs to resume: nested dicts and lists of tensors and JSON values."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state made by `state_dict`."""


@dataclass(frozen=True, slots=True)
class AgentSetting:
    """What a new agent is made for.

    Attributes:
        encoder: The encoder that it will act on, untrained.
        batch: Some sentences.
        reward: The reward that it will learn from.
        warm_start: The policy that the classifier is warm-started on.
        warm_start_name: Its name among the baselines.
    """

    encoder: StructuredEncoder
    batch: SentenceBatch
    reward: Reward
    warm_start: Agent
    warm_start_name: str


@dataclass(frozen=True, slots=True)
class AgentKind:
    """A kind of agent that the trainer can train: everything it needs to know of it.

    Attributes:
        parameters: Dataclass of its parameters, `TrainConfig.agent_parameters`; each field has a default and a
            docstring.
        make: Makes a new agent from its setting and parameters.
        load: Makes an agent that acts from the state that `LearningAgent.save` saved.
        title: Name in tables, given the parameters.
        resolve: Fills in the parameters that depend on the decision problem.
        learns: Whether it has a stage of its own in which the classifier is frozen.
        reward_dropout: Whether it can learn from an encoder in training mode, with dropout.
    """

    parameters: type[Any]
    make: Callable[[AgentSetting, Any], LearningAgent]
    load: Callable[[dict[str, Any]], Agent]
    title: Callable[[Any], str]
    resolve: Callable[[Any, Problem], Any] = lambda parameters, problem: parameters
    learns: bool = True
    reward_dropout: bool = False


AGENTS: Registry[AgentKind] = Registry("agent", group="hs_env.agents")
"""Kinds of agents by versioned name."""

_RENAMED = {"structure.v1": "fixed.v1"}
"""Names in files of version 0.1."""


def load_agent(path: Path) -> Agent:
    """Load an agent saved by `LearningAgent.save`, ready to act.

    Raises:
        HsEnvError: If there is none, its file is damaged, or its kind is unknown.
    """
    state = load_state(path, "agent")
    try:
        with torch.random.fork_rng():  # the random first weights are overwritten
            return AGENTS.get(_RENAMED.get(state["agent"], state["agent"])).load(state)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, AssertionError) as error:
        raise HsEnvError(f"The agent in {path} does not fit its own description: {error}") from error
