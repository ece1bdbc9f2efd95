"""The interface of agents, and the registry of the kinds of agents that the trainer knows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hs_env.compute import Device, find_device, isolated, kept_generators, making_on
from hs_env.errors import HsEnvError
from hs_env.models.encoder import StructuredEncoder
from hs_env.models.saved import LOADING_ERRORS, check_loading, check_numbers, find_file, is_out_of_memory
from hs_env.problems.problem import Problem
from hs_env.registry import Registry
from hs_env.rewards import Reward
from hs_env.shipped import AGENT
from hs_env.storage import StrPath, load_state
from hs_env.types import Episodes, SentenceBatch


@dataclass(frozen=True, slots=True, eq=False)
class PolicyInput:
    """The input of an agent at one word of R episodes.

    Attributes:
        observation: (R, D) float32, from `StructuredEncoder.observe`.
        legal: (R, k) bool, at least one True in each row.
        memory: (R, M) memory from `Agent.begin` or the last decision.
        deterministic: Whether to take the most probable action instead of sampling.
        generator: Random generator on the CPU for sampling; None is torch's global one.
    """

    observation: Tensor
    legal: Tensor
    memory: Tensor
    deterministic: bool = True
    generator: torch.Generator | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The decisions of an agent at one word of R episodes.

    Attributes:
        actions: (R,) int64.
        log_probs: (R,) float32 log-probabilities of the actions; 0 where only one action was legal.
        entropy: (R,) float32, in nats; 0 where only one action was legal.
        memory: (R, M) memory, an input of the next decision.
    """

    actions: Tensor
    log_probs: Tensor
    entropy: Tensor
    memory: Tensor


class Agent(ABC):
    """A policy over the actions of a structured encoder.

    Its memory of an episode is a row of `memory`, so the rows of finished episodes can be dropped.

    Attributes:
        actions: Names of the actions that it was trained for; None if it does not know.
        observes: Whether a decision depends on the observation. If not, `rollout` does not run the encoder.
        reads_words: Whether it has word vectors of its own, by token id, so that it needs the vocabulary it was trained
            with.
    """

    actions: tuple[str, ...] | None = None
    observes: bool = True
    reads_words: bool = False

    def named_actions(self) -> dict[str, list[str]]:
        """Return the entry of a saved agent that names its actions; empty if it does not know them."""
        return {} if self.actions is None else {"actions": list(self.actions)}

    def begin(self, batch: SentenceBatch, samples: int = 1) -> Tensor:
        """Return the (R, M) memory at the first word, `samples` consecutive rows per sentence; by default M = 0."""
        return batch.lengths.new_zeros(len(batch) * samples, 0)

    @abstractmethod
    def act(self, inputs: PolicyInput) -> Decision:
        """Choose a legal action for each row."""

    def to(self, device: torch.device) -> Agent:
        """Move the weights of the policy, if it has any, to the device of the encoder that it acts on."""
        return self


def check_width(observation: Tensor, state_size: int) -> None:
    """Check the width of an observation.

    Raises:
        HsEnvError: If the agent was made for another width; the message names both.
    """
    if observation.shape[-1] != state_size:
        raise HsEnvError(
            f"The agent was made for states of width {state_size}, but the encoder's are {observation.shape[-1]} wide. "
            "Use the agent and the classifier of the same run."
        )


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """The result of one update of an agent.

    Attributes:
        episodes: Episodes that it learned from, in the order of the batch, S consecutive rows per sentence.
        metrics: Numbers to log, by name.
    """

    episodes: Episodes
    metrics: dict[str, float]


class LearningAgent(Agent):
    """An agent that the trainer can train.

    Attributes:
        shares: Whether it can learn on several processes, each with a share of the batch (see `hs_env.ranks`).
    """

    shares: bool = False

    @abstractmethod
    def update(
        self,
        encoder: StructuredEncoder,
        batch: SentenceBatch,
        reward: Reward,
        *,
        generator: torch.Generator | None = None,
    ) -> Update:
        """Sample episodes on a frozen encoder, and update the policy from their rewards.

        Args:
            encoder: Encoder, whose weights do not change.
            batch: B sentences.
            reward: Reward of the episodes.
            generator: Source of the random numbers; None is the global generator of torch.

        Returns:
            The sampled episodes, and numbers to log.

        Raises:
            HsEnvError: If the gradient or the policy is no longer finite.
        """

    def scale_rate(self, factor: float) -> None:
        """Multiply the learning rate of the configuration by a factor from now on.

        Agents that have a schedule of their own keep it.
        """

    def start_from(self, agent: Agent) -> None:
        """Copy the policy of a loaded agent of the same kind and size, to train it further.

        Raises:
            HsEnvError: If this is not possible.
        """
        raise HsEnvError(f"{type(self).__name__} cannot start from a {type(agent).__name__}.")

    @abstractmethod
    def save(self, path: Path) -> None:
        """Save the policy to a file that `load_agent` reads."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return all state of training, as nested dicts and lists of tensors and JSON values."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state from `state_dict`."""


@dataclass(frozen=True, slots=True, eq=False)
class AgentSetting:
    """The circumstances in which a new agent will learn.

    Attributes:
        encoder: Untrained encoder that it will act on.
        batch: Example sentences.
        reward: Reward that it will learn from.
        warm_start: Policy that the classifier is warm-started on.
        warm_start_name: Name of this policy in `BASELINES`.
    """

    encoder: StructuredEncoder
    batch: SentenceBatch
    reward: Reward
    warm_start: Agent
    warm_start_name: str


@dataclass(frozen=True, slots=True)
class AgentKind:
    """Everything that the trainer needs to know about a kind of agent.

    Attributes:
        parameters: Dataclass of `TrainConfig.agent_parameters`; each field has a default and a docstring.
        make: Function that creates an agent.
        load: Function that restores a policy from the state in a file of `LearningAgent.save`.
        title: Function that returns the agent's name in tables.
        resolve: Function that fills in the parameters that depend on the decision problem.
        learns: Whether training has a stage in which only the agent learns and the classifier is frozen.
        reward_dropout: Whether it can learn from an encoder in training mode (with dropout).
    """

    parameters: type[Any]
    make: Callable[[AgentSetting, Any], LearningAgent]
    load: Callable[[dict[str, Any]], Agent]
    title: Callable[[Any], str]
    resolve: Callable[[Any, Problem], Any] = lambda parameters, problem: parameters
    learns: bool = True
    reward_dropout: bool = False


AGENTS: Registry[AgentKind] = Registry("agent", group="hs_env.agents", instances_of=AgentKind)
"""Kinds of agents by versioned name."""

_RENAMED = {"structure.v1": "fixed.v1"}
"""Agents that version 0.1 saved under another name."""


@isolated
def load_agent(run: StrPath, device: Device = "cpu") -> Agent:
    """Load the saved agent of a run.

    `load_agent_for` also reads zip files of Stable-Baselines3, and checks that the agent fits an encoder.

    Args:
        run: Name of a run that ships with the package, the folder of a run, or the file of an agent.
        device: Device of the encoder that it will act on; it may differ from that of the training.

    Raises:
        HsEnvError: If there is no such agent, its file is damaged, or the kind of agent or the device is unknown.
    """
    path, device = find_file(run, AGENT, "agent"), find_device(device)
    state = load_state(path, "agent")
    try:
        kind = AGENTS.get(_RENAMED.get(state["agent"], state["agent"]))
        own = kind.load.__module__.startswith("hs_env.")  # those of others may save what they like
        if own:
            check_numbers({name: value for name, value in state.items() if name not in ("words", "pnet", "weights")})
        check_loading(lambda: kind.load(state))
        with kept_generators(), making_on():  # the random initial weights are overwritten
            agent = kind.load(state).to(device)
        actions = state.get("actions")
        if isinstance(actions, list) and all(isinstance(each, str) for each in actions):
            agent.actions = tuple(actions)
        elif own and actions is not None:
            raise HsEnvError("the names of its actions must be a list of texts")
        return agent
    except LOADING_ERRORS as error:
        if is_out_of_memory(error):
            raise
        raise HsEnvError(f"The agent in {path} does not fit its own description: {error}") from error
