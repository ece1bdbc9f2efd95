"""REINFORCE with a leave-one-out baseline (Williams 1992; Kool et al. 2019), the P-Net of HS-LSTM."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hs_env.models.encoder import StructuredEncoder
from hs_env.rewards import Reward
from hs_env.storage import save_state
from hs_env.types import HsEnvError, SentenceBatch, check_ranges

from .base import AGENTS, Decision, LearningAgent, Update, check_width
from .rollout import Rollout, rollout


class PNet(nn.Module):
    """The policy network: `pi(a_t = 1 | s_t) = sigmoid(W s_t + b)`, or an MLP in place of `W s_t + b`.

    Args:
        state_size: D.
        hidden_size: Width of one tanh layer; 0 is the paper's linear policy.
    """

    def __init__(self, state_size: int, hidden_size: int = 0) -> None:
        super().__init__()
        self.state_size, self.hidden_size = state_size, hidden_size
        last = nn.Linear(hidden_size or state_size, 1)
        nn.init.trunc_normal_(last.weight, std=0.02)
        nn.init.zeros_(last.bias)
        hidden = [nn.Linear(state_size, hidden_size), nn.Tanh()] if hidden_size else []
        self.layers = nn.Sequential(*hidden, last)

    def forward(self, observation: Tensor) -> Tensor:
        """(R, D) to (R,) logits of action 1."""
        logits: Tensor = self.layers(observation).squeeze(1)
        return logits


@dataclass(frozen=True)
class ReinforceConfig:
    """How REINFORCE learns."""

    samples: int = 5
    """Episodes sampled for each sentence; at least 2, for each is the others' baseline."""
    learning_rate: float = 5e-3
    """Of Adam."""
    entropy_bonus: float = 0.01
    """Weight of the mean entropy of a decision, in nats."""
    hidden_size: int = 64
    """Width of the P-Net's tanh layer; 0 is the paper's linear policy."""
    clip_norm: float = 5.0
    """Greatest norm of the gradient."""

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise HsEnvError(f"REINFORCE needs 2 or more samples for its leave-one-out baseline, got {self.samples}.")
        check_ranges(
            self, learning_rate=(1e-12, 10), entropy_bonus=(0, 1e6), hidden_size=(0, 1e5), clip_norm=(1e-12, 1e12)
        )


class Reinforce(LearningAgent):
    """The policy gradient `E[sum_t (R - b) grad log pi(a_t|s_t)]`, no discount.

    The baseline b of a sample is the mean reward of the other samples of the same sentence: unbiased, and free.

    Args:
        state_size: D of the encoder.
        config: How it learns.
    """

    def __init__(self, state_size: int, config: ReinforceConfig | None = None) -> None:
        self.config = config or ReinforceConfig()
        self.pnet = PNet(state_size, self.config.hidden_size)
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
        logits = self.pnet(observation)
        free = legal.all(1)
        with torch.no_grad():
            if deterministic:
                wanted = logits > 0
            else:
                uniform = torch.rand(logits.shape, generator=generator, device=logits.device)
                wanted = uniform < torch.sigmoid(logits)
            actions = torch.where(free, wanted, legal[:, 1]).long()
        log_probs = nn.functional.logsigmoid(torch.where(actions == 1, logits, -logits))
        return Decision(actions, log_probs * free, binary_entropy(logits) * free, memory)

    def loss(self, sampled: Rollout, total: Tensor) -> Tensor:
        """The surrogate whose gradient is minus the policy gradient, less the entropy bonus.

        Args:
            sampled: R = B * S episodes with gradients in `log_probs` and `entropy`.
            total: (R,) rewards.
        """
        rewards = total.view(-1, self.config.samples)
        others = (rewards.sum(1, keepdim=True) - rewards) / (self.config.samples - 1)
        advantages = (rewards - others).flatten()
        policy = -(advantages * sampled.log_probs.sum(1)).mean()
        words = sampled.episodes.sentences.lengths
        return policy - self.config.entropy_bonus * (sampled.entropy.sum(1) / words).mean()

    def update(
        self,
        encoder: StructuredEncoder,
        batch: SentenceBatch,
        reward: Reward,
        *,
        generator: torch.Generator | None = None,
    ) -> Update:
        """One step of Adam on `samples` episodes a sentence."""
        sampled = rollout(encoder, self, batch, samples=self.config.samples, generator=generator)
        earned = reward(sampled.episodes)
        loss = self.loss(sampled, earned.total)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.pnet.parameters(), self.config.clip_norm, error_if_nonfinite=True)
        self.optimizer.step()
        return Update(sampled.episodes, sampled.metrics(earned) | {"gradient_norm": norm.item()})

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
        """P-Net and optimiser."""
        return {"pnet": self.pnet.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `LearningAgent.load_state_dict`."""
        self.pnet.load_state_dict(state["pnet"])
        self.optimizer.load_state_dict(state["optimizer"])


@AGENTS.register("reinforce.v1")
def _restore(state: dict[str, Any]) -> Reinforce:
    agent = Reinforce(state["state_size"], ReinforceConfig(**state["config"]))
    agent.pnet.load_state_dict(state["pnet"])
    return agent


def binary_entropy(logits: Tensor) -> Tensor:
    """Entropy of Bernoulli(sigmoid(logits)) in nats, finite for any logit."""
    size = logits.abs()
    return nn.functional.softplus(-size) + size * torch.sigmoid(-size)
