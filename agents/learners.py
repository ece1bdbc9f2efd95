"""Agents that the trainer can train, by name."""

from __future__ import annotations

from typing import Final, Protocol

from hs_env.models.encoder import StructuredEncoder
from hs_env.registry import Registry
from hs_env.rewards import Reward
from hs_env.types import SentenceBatch

from .base import LearningAgent
from .reinforce import Reinforce, ReinforceConfig
from .sb3 import ALGORITHMS
from .sb3_learner import SB3Config, SB3Learner


class LearnerConfig(Protocol):
    """The parts of a configuration that agents are made from, each by those whom it concerns."""

    @property
    def reinforce(self) -> ReinforceConfig:
        """How our own P-Net learns."""

    @property
    def estimator(self) -> str:
        """By which estimate of its gradient."""

    @property
    def sb3(self) -> SB3Config:
        """How the algorithms of Stable-Baselines3 learn."""


class LearnerMaker(Protocol):
    """Makes an agent that has learnt nothing yet."""

    def __call__(
        self, encoder: StructuredEncoder, batch: SentenceBatch, reward: Reward, config: LearnerConfig
    ) -> LearningAgent:
        """Make it.

        Args:
            encoder: The encoder that it will act on, as it is at first.
            batch: Some sentences.
            reward: What it will be rewarded by.
            config: How it learns.
        """


LEARNERS: Final[Registry[LearnerMaker]] = Registry("agent")
"""Makers of learning agents by versioned name."""


@LEARNERS.register("reinforce.v1")
def _reinforce(
    encoder: StructuredEncoder, batch: SentenceBatch, reward: Reward, config: LearnerConfig
) -> LearningAgent:
    return Reinforce(encoder.state_size, config.reinforce, config.estimator, encoder.task)


def _sb3(name: str) -> LearnerMaker:
    def make(encoder: StructuredEncoder, batch: SentenceBatch, reward: Reward, config: LearnerConfig) -> LearningAgent:
        return SB3Learner(name, encoder, batch, reward, config.sb3)

    return make


for _name in ALGORITHMS:
    LEARNERS.register(f"{_name}.v1")(_sb3(_name))
