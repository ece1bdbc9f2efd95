"""Policies of Stable-Baselines3 and sb3-contrib as agents."""

from __future__ import annotations

import inspect
import tomllib
import zipfile
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from hs_env.compute import Device, find_device, making_on
from hs_env.errors import HsEnvError, expand, path_text, shown
from hs_env.storage import StrPath, save_state
from hs_env.types import SentenceBatch

from .base import Agent, Decision, PolicyInput, check_width, load_agent
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
    """A policy of Stable-Baselines3 or sb3-contrib, such as that of `PPO(...)`, trained on one of our environments.

    Policies with an actor (PPO, A2C, MaskablePPO, RecurrentPPO, TRPO) sample from it. Policies with action values (DQN,
    QR-DQN) are epsilon-greedy. Illegal actions have probability 0. The policy may be on another device than the
    sentences.

    Args:
        policy: The policy, or the algorithm that has it.
        exploration: Epsilon, the probability of a random action, when a policy with action values samples; by default
            that of the algorithm, or 0 for a policy.

    Raises:
        HsEnvError: If the policy has neither an actor nor action values, or was trained on other observations than
            those of the environments, such as normalised ones.
    """

    def __init__(self, policy: BasePolicy | BaseAlgorithm, exploration: float | None = None) -> None:
        normalised = getattr(policy, "get_vec_normalize_env", lambda: None)()
        if normalised is not None and normalised.norm_obs:
            raise HsEnvError(
                f"This {type(policy).__name__} was trained on normalised observations, which an agent does not make. "
                "Train it with VecNormalize(..., norm_obs=False)."
            )
        if exploration is None:
            exploration = getattr(policy, "exploration_rate", 0.0)
        policy = getattr(policy, "policy", policy)
        if not any(hasattr(policy, name) for name in ("get_distribution", "q_net", "quantile_net")):
            raise HsEnvError(
                f"{type(policy).__name__} has neither an actor nor action values; give the policy of a trained "
                "algorithm, such as PPO(...).policy."
            )
        expected = _observations((policy.observation_space.shape or (0,))[-1])
        if policy.observation_space != expected:
            raise HsEnvError(
                f"The policy observes {policy.observation_space}, but the environments give {expected}. Train it "
                "without wrappers that change observations, since an agent observes the states as they are."
            )
        self.policy: Any = policy
        self.exploration = exploration

    def save(self, path: StrPath) -> None:
        """Save the policy as safetensors and JSON, which `load` and `load_agent` read.

        Raises:
            HsEnvError: If the policy is no standard one of `ALGORITHMS`.
        """
        save_state(path, "agent", policy_state(self.policy, self.exploration) | self.named_actions())

    @classmethod
    def load(cls, run: StrPath, *, trust: bool = False) -> SB3Agent:
        """Load a policy from a file of `save`, or from the zip file of an algorithm.

        Args:
            run: Name of a run that ships with the package, the folder of a run, or the file; its agent is one of
                `ALGORITHMS`.
            trust: Whether a zip file may be loaded. It contains pickles, which can execute any code.

        Raises:
            HsEnvError: If there is no such policy, or a zip file is not trusted.
        """
        if is_zip(run):
            return load_zip(run, trust)
        agent = load_agent(run)
        if not isinstance(agent, SB3Agent):
            raise HsEnvError(
                f"The agent in {run} is a {type(agent).__name__}. Load it with `hs_env.agents.load_agent`."
            )
        return agent

    def begin(self, batch: SentenceBatch, samples: int = 1) -> Tensor:
        """Return the initial state of the policy's LSTM, if it has one (RecurrentPPO)."""
        lstm: Any = getattr(self.policy, "lstm_actor", None)
        if lstm is None:
            return super().begin(batch, samples)
        rows, width = len(batch) * samples, 2 * lstm.num_layers * lstm.hidden_size
        return torch.zeros(rows, width, device=batch.lengths.device)

    def to(self, device: torch.device) -> SB3Agent:
        """See `Agent.to`."""
        self.policy.to(device)
        return self

    @torch.no_grad()
    def act(self, inputs: PolicyInput) -> Decision:
        """See `Agent.act`; the decision has no gradients."""
        check_width(inputs.observation, self.policy.observation_space.shape[-1])
        if (actions := self.policy.action_space.n) != inputs.legal.shape[1]:
            raise HsEnvError(
                f"The policy chooses among {actions} actions, and the decision problem has {inputs.legal.shape[1]}. "
                "Use a policy that was trained on the environment of this problem."
            )
        self.policy.set_training_mode(False)
        here, there = inputs.observation.device, self.policy.device
        moved = (each.to(there) for each in (inputs.observation, inputs.legal, inputs.memory))
        with making_on():
            logits, memory = (each.to(here) for each in self._logits(*moved))
        choice = CategoricalChoice(logits, inputs.legal)
        actions = choice.best() if inputs.deterministic else choice.sample(inputs.generator)
        return Decision(actions, choice.log_prob(actions), choice.entropy(), memory)

    def _logits(self, observation: Tensor, legal: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (R, k) of the actions and the next memory."""
        policy = self.policy
        if hasattr(policy, "lstm_actor"):
            lstm, rows = policy.lstm_actor, len(observation)
            states = memory.view(rows, 2, lstm.num_layers, -1).permute(1, 2, 0, 3).contiguous()
            starts = torch.zeros(rows, device=observation.device)
            distribution, states = policy.get_distribution(observation, (states[0], states[1]), starts)
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


def policy_state(policy: BasePolicy, exploration: float, algorithm: str | None = None) -> dict[str, Any]:
    """Return what `restore` needs to build the policy again, as tensors and JSON values.

    Args:
        policy: A standard policy of one of `ALGORITHMS`, with its own features extractor.
        exploration: Epsilon of a policy with action values.
        algorithm: Name of the algorithm; by default the first one with such a policy.

    Raises:
        HsEnvError: If the policy is another one.
    """
    places = [
        (name, alias)
        for name in (ALGORITHMS if algorithm is None else [algorithm])
        for alias, kind in sb3_algorithm(name).policy_aliases.items()
        if kind is type(policy)
    ]
    settings = _settings(policy)
    extractor = settings.pop("features_extractor_class").__name__
    if not places or extractor != "FlattenExtractor":
        raise HsEnvError(
            f"{type(policy).__name__} with {extractor} is no standard policy of {', '.join(ALGORITHMS)}, so only "
            "Stable-Baselines3 can save it: use the method save() of the algorithm, and load the zip file with "
            "trust=True."
        )
    name, alias = places[0]
    return {
        "agent": f"{name}.v1",
        "algorithm": name,
        "state_size": policy.observation_space.shape[-1],  # type: ignore[index]
        "num_actions": int(policy.action_space.n),  # type: ignore[attr-defined]
        "policy": alias,
        "policy_kwargs": settings | {"activation_fn": settings["activation_fn"].__name__},
        "exploration": exploration,
        "weights": policy.state_dict(),
    }


_SETTINGS: Final = ("net_arch", "activation_fn", "features_extractor_class", "use_sde", "full_std", "use_expln")
_LSTM: Final = ("shared_lstm", "enable_critic_lstm", "lstm_kwargs")


def _settings(policy: Any) -> dict[str, Any]:
    """Return the arguments of a policy that its network depends on, by name."""
    given = policy._get_constructor_parameters()
    settings = {name: given[name] for name in _SETTINGS if given.get(name) is not None}
    if hasattr(policy, "share_features_extractor"):
        settings["share_features_extractor"] = policy.share_features_extractor
    if (lstm := getattr(policy, "lstm_actor", None)) is not None:
        settings |= {"lstm_hidden_size": lstm.hidden_size, "n_lstm_layers": lstm.num_layers}
        settings |= {name: getattr(policy, name) for name in _LSTM}
    known = inspect.signature(type(policy)).parameters
    return {name: value for name, value in settings.items() if name in known}


def _observations(width: int) -> Box:
    """Return the observation space of the environments whose states have this width."""
    from hs_env.envs.slots import STATE_LIMIT  # environments are slow to import, and reading texts needs none

    return Box(-STATE_LIMIT, STATE_LIMIT, (width,), np.float32)


def restore(state: dict[str, Any]) -> SB3Agent:
    """Restore the policy of a `policy_state`."""
    kind = sb3_algorithm(state["algorithm"]).policy_aliases[state["policy"]]
    settings = dict(state["policy_kwargs"])
    if isinstance(name := settings.get("activation_fn"), str):
        settings["activation_fn"] = _activation(name)
    policy = kind(_observations(state["state_size"]), Discrete(state.get("num_actions", 2)), _no_rate, **settings)
    policy.load_state_dict(state["weights"])
    return SB3Agent(policy, state["exploration"])


def _activation(name: str) -> type[torch.nn.Module]:
    """Return an activation function of torch by the name of its class."""
    found = getattr(torch.nn.modules.activation, name, None)
    if not (isinstance(found, type) and issubclass(found, torch.nn.Module)):
        raise HsEnvError(f"its activation function {shown(name)} is none of torch.nn")
    return found


def is_zip(path: StrPath) -> bool:
    """Return whether a file is a zip archive, as an algorithm of Stable-Baselines3 saves itself."""
    found = expand(path_text(path, "The agent"))
    return found.is_file() and zipfile.is_zipfile(found)


def load_zip(path: StrPath, trust: bool, device: Device = "cpu") -> SB3Agent:
    """Load the policy in the zip file of an algorithm to a device.

    Raises:
        HsEnvError: If the file is not trusted, or holds no policy that can be used.
    """
    if not trust:
        raise HsEnvError(
            f"{path} is a zip file of Stable-Baselines3. It contains pickles, which can execute any code. If you trust "
            "its origin, load it with --trust (trust=True in Python)."
        )
    from stable_baselines3.common.save_util import load_from_zip_file

    device = find_device(device)
    try:
        data, weights, _ = load_from_zip_file(str(expand(path)), device="cpu")
        assert data is not None
        kind, settings = data["policy_class"], dict(data.get("policy_kwargs") or {})
        if "use_sde" in inspect.signature(kind).parameters:
            settings.setdefault("use_sde", data.get("use_sde", False))
        with making_on():
            policy = kind(data["observation_space"], data["action_space"], _no_rate, **settings)
        policy.load_state_dict(weights["policy"])
        return SB3Agent(policy, data.get("exploration_rate", 0.0)).to(device)
    except HsEnvError:
        raise
    except Exception as error:  # what is unpickled may raise anything
        raise HsEnvError(
            f"{path} holds no policy of Stable-Baselines3 that can be used: {type(error).__name__}: {error}"
        ) from error


def _no_rate(progress: float) -> float:
    """Return 0, the learning rate of a policy that does not learn."""
    return 0.0
