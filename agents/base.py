"""The agent protocol: what every P-Net, learned or not, can do."""

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
from hs_env.registry import Registry
from hs_env.rewards import Reward
from hs_env.storage import load_state
from hs_env.types import Episodes, SentenceBatch


@dataclass(frozen=True, slots=True)
class Decision:
    """What an agent does at one word of R episodes.

    Attributes:
        actions: (R,) int64.
        log_probs: (R,) float32 log-probability of each action; 0 where only one was legal, for a forced action is not
            the policy's choice.
        entropy: (R,) float32, in nats; 0 where only one action was legal.
        memory: (R, M), to be handed in at the next word.
    """

    actions: Tensor
    log_probs: Tensor
    entropy: Tensor
    memory: Tensor


class Agent(ABC):
    """A policy over the actions of a structured encoder.

    An agent carries what it must remember of an episode in `memory`, one row an episode, so that whoever steps it can
    drop the rows of finished episodes.
    """

    def begin(self, batch: SentenceBatch, samples: int = 1) -> Tensor:
        """(R, M) memory at the first word of each episode, `samples` consecutive rows a sentence. M = 0 by default."""
        return batch.lengths.new_zeros(len(batch) * samples, 0)

    @abstractmethod
    def act(
        self,
        observation: Tensor,
        legal: Tensor,
        memory: Tensor,
        *,
        deterministic: bool = True,
        generator: torch.Generator | None = None,
    ) -> Decision:
        """Choose an action for each row.

        Args:
            observation: (R, D) float32, from `StructuredEncoder.observe`.
            legal: (R, 2) bool, at least one True in each row.
            memory: (R, M), from `begin` or the last decision.
            deterministic: Take the most probable action instead of sampling.
            generator: Source of randomness; None is torch's global one.
        """


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


AGENTS: Registry[Callable[[dict[str, Any]], Agent]] = Registry("agent")
"""What makes an agent of its saved state, by versioned name."""


def load_agent(path: Path) -> Agent:
    """Load an agent saved by `LearningAgent.save`, ready to act.

    Raises:
        HsEnvError: If there is none, its file is damaged, or its kind is unknown.
    """
    state = load_state(path, "agent")
    try:
        with torch.random.fork_rng():  # first weights are drawn for nothing
            return AGENTS.get(state["agent"])(state)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, AssertionError) as error:
        raise HsEnvError(f"The agent in {path} does not fit its own description: {error}") from error


@dataclass(frozen=True, slots=True)
class Update:
    """What one update of an agent did.

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
        """Everything that learning goes on from: nested dicts and lists of tensors and JSON values."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state_dict`."""
