"""The policy network, and the agent that samples from its logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from hs_env.errors import HsEnvError

from .base import Agent, Decision, PolicyInput, check_width
from .choice import choice_of

Logits = Callable[[Tensor], Tensor]
"""A policy as a function from observations (R, D) to logits: (R,) of action 1 for two actions, (R, k) for more."""


class PNet(nn.Module):
    """The policy network: computes the logits of the actions with a linear layer or an MLP with one tanh layer.

    Two actions have one logit: `pi(a_t = 1 | s_t) = sigmoid(W s_t + b)` (Zhang, Huang, Zhao, AAAI 2018).

    Args:
        state_size: Width D of an observation.
        hidden_size: Width of the tanh layer; 0 gives the linear policy of the paper.
        num_actions: Number of actions k.
        initial_logits: Initial bias per action, 0 by default. Weights start near 0, so these are roughly the initial
            logits in every state.
    """

    def __init__(
        self, state_size: int, hidden_size: int = 0, num_actions: int = 2, initial_logits: Sequence[float] = ()
    ) -> None:
        super().__init__()
        if len(initial_logits) not in (0, num_actions):
            raise HsEnvError(f"Expected an initial logit for each of {num_actions} actions, got {len(initial_logits)}.")
        self.state_size, self.hidden_size, self.num_actions = state_size, hidden_size, num_actions
        bias = torch.tensor(initial_logits or (0.0,) * num_actions, dtype=torch.get_default_dtype())
        bias = bias if num_actions > 2 else bias[1:] - bias[:1]
        last = nn.Linear(hidden_size or state_size, len(bias))
        nn.init.trunc_normal_(last.weight, std=0.02)
        with torch.no_grad():
            last.bias.copy_(bias)
        hidden = [nn.Linear(state_size, hidden_size), nn.Tanh()] if hidden_size else []
        self.layers = nn.Sequential(*hidden, last)

    def forward(self, observation: Tensor) -> Tensor:
        """Compute the logits of observations (R, D), see `Logits`."""
        check_width(observation, self.state_size)
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        logits: Tensor = self.layers(observation.to(last.weight.dtype))
        return logits.squeeze(1) if self.num_actions == 2 else logits


class LogitPolicy(Agent):
    """Samples actions from the logits of a policy."""

    def __init__(self, logits: Logits) -> None:
        self.logits = logits

    def act(self, inputs: PolicyInput) -> Decision:
        """See `Agent.act`."""
        choice = choice_of(self.logits(inputs.observation), inputs.legal)
        actions = choice.best() if inputs.deterministic else choice.sample(inputs.generator)
        return Decision(actions, choice.log_prob(actions), choice.entropy(), inputs.memory)
