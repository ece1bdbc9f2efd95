"""The P-Net of HS-LSTM, trained by an estimate of its policy gradient: REINFORCE, or another estimator."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hs_env.errors import HsEnvError, check_ranges
from hs_env.models.encoder import StructuredEncoder
from hs_env.rewards import Reward
from hs_env.storage import save_state
from hs_env.types import SEGMENTATION, SentenceBatch, Task

from .base import AGENTS, Decision, LearningAgent, Update, check_width
from .estimators import ESTIMATORS, Estimate, Problem
from .policy import BinaryPolicy, PNet

_RATE, _SELECTION_RATE = 5e-3, 1e-3
_SELECTION_LOGIT = 2.0


@dataclass(frozen=True)
class ReinforceConfig:
    """How the P-Net learns."""

    samples: int = 5
    """Episodes sampled for each sentence; at least 2, for each is the others' baseline."""
    learning_rate: float | None = None
    """Of Adam; by default 5e-3, for ID-LSTM 1e-3."""
    entropy_bonus: float = 0.01
    """Weight of the mean entropy of a decision, in nats."""
    hidden_size: int = 64
    """Width of the P-Net's tanh layer; 0 is the paper's linear policy."""
    clip_norm: float = 5.0
    """Greatest norm of the gradient."""

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise HsEnvError(f"REINFORCE needs 2 or more samples for its leave-one-out baseline, got {self.samples}.")
        check_ranges(self, entropy_bonus=(0, 1e6), hidden_size=(0, 1e5), clip_norm=(1e-12, 1e12))
        if self.learning_rate is not None:
            check_ranges(self, learning_rate=(1e-12, 10))

    def for_task(self, task: Task) -> ReinforceConfig:
        """The same, with what is left to the task filled in."""
        rate = _SELECTION_RATE if task.structure == "selection" else _RATE
        return replace(self, learning_rate=self.learning_rate or rate)


class Reinforce(LearningAgent):
    """Adam on an estimate of the gradient of the mean reward, no discount.

    By default that is REINFORCE, `E[sum_t (R - b) grad log pi(a_t|s_t)]`. The baseline b of a sample is the mean reward
    of the other samples of the same sentence: unbiased, and free.

    Args:
        state_size: D of the encoder.
        config: How it learns.
        estimator: Name of the gradient's estimator (`hs_env.agents.estimators`).
        task: What is decided. Where words are selected it begins by keeping nearly all of them, for its classifier has
            read whole sentences until then.
    """

    def __init__(
        self,
        state_size: int,
        config: ReinforceConfig | None = None,
        estimator: str = "rloo",
        task: Task = SEGMENTATION,
    ) -> None:
        self.config = (config or ReinforceConfig()).for_task(task)
        assert self.config.learning_rate is not None
        logit = _SELECTION_LOGIT if task.structure == "selection" else 0.0
        self.estimator = ESTIMATORS.get(estimator)(state_size)
        self.pnet = PNet(state_size, self.config.hidden_size, logit)
        self.optimizer = torch.optim.Adam(self.pnet.parameters(), self.config.learning_rate)

    def act(
        self,
        observation: Tensor,
        legal: Tensor,
        memory: Tensor,
        *,
        deterministic: bool = True,
        generator: torch.Generator | None = None,
    ) -> Decision:
        """See `Agent.act`."""
        check_width(observation, self.pnet.state_size)
        return BinaryPolicy(self.pnet).act(observation, legal, memory, deterministic=deterministic, generator=generator)

    def loss(self, estimate: Estimate) -> Tensor:
        """A scalar whose gradient is minus the estimated policy gradient, less the entropy bonus."""
        words = estimate.sampled.episodes.sentences.lengths
        entropy = (estimate.sampled.entropy.sum(1) / words).mean()
        return -estimate.objective - self.config.entropy_bonus * entropy

    def update(
        self,
        encoder: StructuredEncoder,
        batch: SentenceBatch,
        reward: Reward,
        *,
        generator: torch.Generator | None = None,
    ) -> Update:
        """One step of Adam on `samples` episodes a sentence."""
        problem = Problem(encoder, self.pnet, batch, reward, self.config.samples)
        estimate = self.estimator.estimate(problem, generator)
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(estimate).backward()
        norm = nn.utils.clip_grad_norm_(self.pnet.parameters(), self.config.clip_norm)
        if not torch.isfinite(norm):
            raise HsEnvError(
                f"The gradient that {self.estimator.title} estimates is no longer finite: the policy has diverged. "
                "Take a smaller learning rate, or an estimator that is unbiased."
            )
        self.optimizer.step()
        metrics = estimate.sampled.metrics(estimate.earned)
        return Update(
            estimate.sampled.episodes, metrics | {"gradient_norm": norm.item(), "passes": float(estimate.passes)}
        )

    def save(self, path: Path) -> None:
        """See `LearningAgent.save`."""
        state = {
            "agent": "reinforce.v1",
            "state_size": self.pnet.state_size,
            "config": asdict(self.config),
            "pnet": self.pnet.state_dict(),
        }
        save_state(path, "agent", state)

    def state_dict(self) -> dict[str, Any]:
        """P-Net, optimiser and what the estimator has learnt."""
        return {
            "pnet": self.pnet.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "estimator": self.estimator.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `LearningAgent.load_state_dict`."""
        self.pnet.load_state_dict(state["pnet"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.estimator.load_state_dict(state["estimator"])


@AGENTS.register("reinforce.v1")
def _restore(state: dict[str, Any]) -> Reinforce:
    agent = Reinforce(state["state_size"], ReinforceConfig(**state["config"]))
    agent.pnet.load_state_dict(state["pnet"])
    return agent
