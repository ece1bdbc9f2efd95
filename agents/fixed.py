"""A P-Net that learns nothing: the structure of the warm start, kept throughout."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.models.encoder import StructuredEncoder
from hs_env.rewards import Reward
from hs_env.storage import save_state
from hs_env.types import SentenceBatch

from .base import AGENTS, Decision, LearningAgent, Update
from .baselines import BASELINES, Heuristic
from .rollout import rollout

STRUCTURE: Final = "structure"
"""What the trainer calls this agent."""


class FixedStructure(LearningAgent):
    """A heuristic in the place of a P-Net, so that a C-Net is trained on its structure alone.

    Args:
        name: Name of the heuristic among the baselines.
        heuristic: The heuristic.
    """

    def __init__(self, name: str, heuristic: Heuristic) -> None:
        self.name, self.heuristic = name, heuristic

    def begin(self, batch: SentenceBatch, samples: int = 1) -> Tensor:
        """The plan of the heuristic."""
        return self.heuristic.begin(batch, samples)

    def act(
        self,
        observation: Tensor,
        legal: Tensor,
        memory: Tensor,
        *,
        deterministic: bool = True,
        generator: torch.Generator | None = None,
    ) -> Decision:
        """The next planned action."""
        return self.heuristic.act(observation, legal, memory, deterministic=deterministic, generator=generator)

    def update(
        self,
        encoder: StructuredEncoder,
        batch: SentenceBatch,
        reward: Reward,
        *,
        generator: torch.Generator | None = None,
    ) -> Update:
        """One episode a sentence; nothing is learned."""
        done = rollout(encoder, self, batch, deterministic=True)
        return Update(done.episodes, done.metrics(reward(done.episodes)))

    def save(self, path: Path) -> None:
        """Save the heuristic's name, and the vocabulary that it tells word classes by."""
        words = list(self.heuristic.vocabulary.words)
        save_state(path, "agent", {"agent": "structure.v1", "structure": self.name, "words": words})

    def state_dict(self) -> dict[str, Any]:
        """Nothing: there is nothing that changes."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing."""


@AGENTS.register("structure.v1")
def _load(state: dict[str, Any]) -> FixedStructure:
    heuristic = BASELINES.get(state["structure"])(Vocabulary(state["words"]))
    if not isinstance(heuristic, Heuristic):
        raise HsEnvError(f"{state['structure']!r} is no fixed structure")
    return FixedStructure(state["structure"], heuristic)
