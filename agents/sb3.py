"""Policies of Stable-Baselines3 and sb3-contrib as agents."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from hs_env.envs.slots import STATE_LIMIT
from hs_env.errors import HsEnvError
from hs_env.types import SentenceBatch

from .base import Agent, Decision, PolicyInput, check_width
from .choice import CategoricalChoice

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy

ALGORITHMS: Final = {
    "ppo": "stable_baselines3.PPO",
    "a2c": "stable_baselines3.A2C",
    "dqn": "stable_baselines3.DQN",
    "maskable_ppo": "sb3_contrib.MaskablePPO",
    "recurrent_ppo": "sb3_contrib.RecurrentPPO",
}
"""Classes of the algorithms that the trainer can use, imported on first use."""


class SB3Agent(Agent):
    """A policy of Stable-Baselines3 or sb3-contrib, such as `PPO(...).policy`, trained on one of our environments.

    Policies with an actor (PPO, A2C, MaskablePPO, RecurrentPPO, TRPO) sample from it. Policies with action values (DQN,
    QR-DQN) are epsilon-greedy. Illegal actions have probability 0.

    Args:
        policy: The policy.
        exploration: Epsilon, the probability of a random action, when a policy with action values samples.

    Raises:
        HsEnvError: If the policy has neither an actor nor action values.
    """

    def __init__(self, policy: BasePolicy, exploration: float = 0.0) -> None:
        if not any(hasattr(policy, name) for name in ("get_distribution", "q_net", "quantile_net")):
            raise HsEnvError(
                f"{type(policy).__name__} has neither an actor nor action values; give the policy of a trained "
                "algorithm, such as PPO(...).policy."
            )
        self.policy, self.exploration = policy, exploration

    def begin(self, batch: SentenceBatch, samples: int = 1) -> Tensor:
        """Return the initial state of the policy's LSTM, if it has one (RecurrentPPO)."""
        lstm: Any = getattr(self.policy, "lstm_actor", None)
        if lstm is None:
            return super().begin(batch, samples)
        return torch.zeros(len(batch) * samples, 2 * lstm.num_layers * lstm.hidden_size)

    @torch.no_grad()
    def act(self, inputs: PolicyInput) -> Decision:
        """See `Agent.act`; the decision has no gradients."""
        check_width(inputs.observation, self.policy.observation_space.shape[-1])  # type: ignore[index]
        self.policy.set_training_mode(False)
        logits, memory = self._logits(inputs.observation, inputs.legal, inputs.memory)
        choice = CategoricalChoice(logits, inputs.legal)
        actions = choice.best() if inputs.deterministic else choice.sample(inputs.generator)
        return Decision(actions, choice.log_prob(actions), choice.entropy(), memory)

    def _logits(self, observation: Tensor, legal: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (R, k) of the actions and the next memory."""
        policy: Any = self.policy
        if hasattr(policy, "lstm_actor"):
            lstm, rows = policy.lstm_actor, len(observation)
            states = memory.view(rows, 2, lstm.num_layers, -1).permute(1, 2, 0, 3).contiguous()
            distribution, states = policy.get_distribution(observation, (states[0], states[1]), torch.zeros(rows))
            memory = torch.stack(states).permute(2, 0, 1, 3).reshape(rows, -1)
        elif hasattr(policy, "get_distribution"):
            distribution = policy.get_distribution(observation)
        else:
            values = policy.q_net(observation) if hasattr(policy, "q_net") else policy.quantile_net(observation).mean(1)
            greedy = torch.nn.functional.one_hot(values.masked_fill(~legal, -torch.inf).argmax(1), legal.shape[1])
            explored = self.exploration * legal / legal.sum(1, keepdim=True)
            return torch.log((1 - self.exploration) * greedy + explored), memory
        logits: Tensor = distribution.distribution.logits
        return logits, memory


@cache
def sb3_defaults() -> dict[str, dict[str, Any]]:
    """Return the default arguments of each algorithm, from `agents/sb3.toml`."""
    return tomllib.loads(files("hs_env.agents").joinpath("sb3.toml").read_text(encoding="utf-8"))


def sb3_algorithm(name: str) -> type[BaseAlgorithm]:
    """Import the class of one of `ALGORITHMS`."""
    module, _, attribute = ALGORITHMS[name].partition(".")
    algorithm: type[BaseAlgorithm] = getattr(import_module(module), attribute)
    return algorithm


def restore(state: dict[str, Any]) -> SB3Agent:
    """Restore the policy that `SB3Learner.save` saved."""
    policies = sb3_algorithm(state["algorithm"]).policy_aliases
    observations = Box(-STATE_LIMIT, STATE_LIMIT, (state["state_size"],), np.float32)
    policy = policies[state["policy"]](
        observations, Discrete(state.get("num_actions", 2)), _no_rate, **state["policy_kwargs"]
    )
    policy.load_state_dict(state["weights"])
    return SB3Agent(policy, state["exploration"])


def _no_rate(progress: float) -> float:
    """Return 0, the learning rate of a policy that does not learn."""
    return 0.0
