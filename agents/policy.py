"""The policy network, and how a binary policy acts by its logits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .base import Agent, Decision

Logits = Callable[[Tensor], Tensor]
"""A binary policy: (R, D) observations to (R,) logits of action 1."""


class PNet(nn.Module):
    """The policy network: `pi(a_t = 1 | s_t) = sigmoid(W s_t + b)`, or an MLP in place of `W s_t + b`.

    Args:
        state_size: D.
        hidden_size: Width of one tanh layer; 0 is the paper's linear policy.
        logit: The first b, and so about the first logit in every state.
    """

    def __init__(self, state_size: int, hidden_size: int = 0, logit: float = 0.0) -> None:
        super().__init__()
        self.state_size, self.hidden_size = state_size, hidden_size
        last = nn.Linear(hidden_size or state_size, 1)
        nn.init.trunc_normal_(last.weight, std=0.02)
        nn.init.constant_(last.bias, logit)
        hidden = [nn.Linear(state_size, hidden_size), nn.Tanh()] if hidden_size else []
        self.layers = nn.Sequential(*hidden, last)

    def forward(self, observation: Tensor) -> Tensor:
        """(R, D) to (R,) logits of action 1."""
        logits: Tensor = self.layers(observation).squeeze(1)
        return logits


class BinaryPolicy(Agent):
    """Acts by the logits of action 1.

    Args:
        logits: (R, D) observations to (R,) logits.
    """

    def __init__(self, logits: Logits) -> None:
        self.logits = logits

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
        logits = self.logits(observation)
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


def binary_entropy(logits: Tensor) -> Tensor:
    """Entropy of Bernoulli(sigmoid(logits)) in nats, finite for any logit."""
    size = logits.abs()
    return nn.functional.softplus(-size) + size * torch.sigmoid(-size)
