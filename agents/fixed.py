"""An agent that keeps the policy of the warm start, so only the classifier learns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.models.encoder import StructuredEncoder
from hs_env.rewards import Reward
from hs_env.storage import save_state
from hs_env.types import SentenceBatch

from .base import AGENTS, Agent, AgentKind, AgentSetting, Decision, LearningAgent, PolicyInput, Update
from .baselines import BASELINES, Baseline
from .rollout import rollout


@dataclass(frozen=True)
class FixedParameters:
    """Parameters of a fixed policy: there are none."""


class FixedPolicy(LearningAgent):
    """Acts like the baseline that `BASELINES` holds as `name`, and learns nothing.

    Raises:
        HsEnvError: If the baseline observes the encoder.
    """

    observes = False
    shares = True

    def __init__(self, name: str, baseline: Baseline) -> None:
        if baseline.observes:
            raise HsEnvError(f"A fixed policy does not observe the encoder, but {name!r} does. Choose another.")
        self.name, self.baseline = name, baseline

    def begin(self, batch: SentenceBatch, samples: int = 1) -> Tensor:
        """See `Agent.begin`."""
        return self.baseline.begin(batch, samples)

    def act(self, inputs: PolicyInput) -> Decision:
        """See `Agent.act`."""
        return self.baseline.act(inputs)

    def update(
        self,
        encoder: StructuredEncoder,
        batch: SentenceBatch,
        reward: Reward,
        *,
        generator: torch.Generator | None = None,
    ) -> Update:
        """Run one episode per sentence; the policy does not change."""
        done = rollout(encoder, self, batch, deterministic=True, generator=generator)
        return Update(done.episodes, done.metrics(reward(done.episodes)))

    def start_from(self, agent: Agent) -> None:
        """Keep the policy: it does not change."""

    def save(self, path: Path) -> None:
        """Save the name of the baseline and its vocabulary."""
        words = list(self.baseline.vocabulary.words)
        save_state(path, "agent", {"agent": "fixed.v1", "policy": self.name, "words": words})

    def state_dict(self) -> dict[str, Any]:
        """Return an empty dict."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing."""


def _make(setting: AgentSetting, parameters: FixedParameters) -> FixedPolicy:
    assert isinstance(setting.warm_start, Baseline)
    return FixedPolicy(setting.warm_start_name, setting.warm_start)


def _load(state: dict[str, Any]) -> Agent:
    name: str = state["policy"] if "policy" in state else state["structure"]  # in files of version 0.1
    return FixedPolicy(name, BASELINES.get(name)(Vocabulary(state["words"])))


AGENTS.register("fixed.v1")(
    AgentKind(parameters=FixedParameters, make=_make, load=_load, title=lambda parameters: "fixed policy", learns=False)
)
