"""Train policies with Stable-Baselines3 and sb3-contrib on a frozen encoder."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from hs_env.compute import CPU, device_of, from_array, isolated, kept_generators, making_on, to_array
from hs_env.corpora.encoded import EncodedSplit
from hs_env.errors import HsEnvError, check_ranges, shown
from hs_env.models.encoder import StructuredEncoder
from hs_env.models.saved import check_optimizer
from hs_env.rewards import Reward
from hs_env.storage import StrPath, save_state
from hs_env.types import SentenceBatch

from .base import AGENTS, Agent, AgentKind, LearningAgent, Update
from .rollout import rollout
from .sb3 import ALGORITHMS, SB3Agent, policy_state, restore, sb3_algorithm, sb3_defaults

if TYPE_CHECKING:
    from hs_env.envs.resources import Resources

_COUNTERS: Final = ("num_timesteps", "_n_updates", "_n_calls")
_BUFFER: Final = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


@dataclass(frozen=True)
class SB3Parameters:
    """Parameters of an algorithm of Stable-Baselines3 as agent."""

    slots: int = 64
    """Number of slots of the vector environment."""
    steps: int = 128
    """Environment steps per slot and update."""
    samples: int = 5
    """Episodes per sentence that the C-Net learns from after an update."""
    arguments: dict[str, int | float | str] = field(default_factory=dict)
    """Names and values of arguments of the algorithm, such as `learning_rate 1e-4 ent_coef 0.01`. They replace the
    defaults of `agents/sb3.toml`."""
    shaping: bool = False
    """Also reward each word by the change of the log-likelihood of the gold class. The optimal policy stays optimal,
    because nothing is discounted: `gamma` must be 1."""
    zip: bool = False
    """Also save a zip file for Stable-Baselines3. It contains a pickle."""

    def __post_init__(self) -> None:
        check_ranges(self, slots=(1, 1e6), steps=(1, 1e6), samples=(1, 1e6))


class SB3Learner(SB3Agent, LearningAgent):
    """Trains one of `ALGORITHMS` as P-Net.

    In an update, the algorithm learns on a vector environment over the current encoder, with sentences of the batch.
    Then `samples` episodes per sentence of the batch are sampled, for the C-Net to learn from. Every update resets the
    environment, so no data of an older encoder remains, except in the replay buffer of DQN.

    Attributes:
        model: The algorithm, such as `stable_baselines3.PPO`.
    """

    def __init__(
        self,
        name: str,
        encoder: StructuredEncoder,
        batch: SentenceBatch,
        reward: Reward,
        parameters: SB3Parameters | None = None,
    ) -> None:
        from stable_baselines3.common.logger import Logger

        from hs_env.envs.vector import EncoderVectorEnv  # slow to import, and other agents need no environment
        from hs_env.interop.sb3 import SB3VecEnv

        self.name, self.settings = name, parameters or SB3Parameters()
        self.state_size = encoder.state_size
        self._env = EncoderVectorEnv(self._resources(encoder, batch, reward), self.settings.slots, "SameStep")
        self._vec_env = SB3VecEnv(self._env)
        self._arguments = self._chosen_arguments()
        arguments = deepcopy(self._arguments)  # some algorithms change them
        try:
            with making_on():
                self.model: Any = sb3_algorithm(name)(env=self._vec_env, device=device_of(encoder), **arguments)
            self.model.set_logger(Logger(None, []))  # the default logger creates a folder per update
            super().__init__(self.model.policy)
            self.actions = encoder.problem.actions
        except Exception as error:  # algorithms raise all kinds of errors for bad arguments
            raise HsEnvError(f"{name} does not take the parameters {self.settings.arguments}: {error}") from error

    @isolated
    def update(
        self,
        encoder: StructuredEncoder,
        batch: SentenceBatch,
        reward: Reward,
        *,
        generator: torch.Generator | None = None,
    ) -> Update:
        """Train for `steps` steps in `slots` slots, then sample episodes of the batch."""
        with _seeded(generator, device_of(encoder)) as seed:
            self._env.load(self._resources(encoder, batch, reward))
            self.model.set_env(self._vec_env)  # discards the last observation, too
            self.model.action_space.seed(seed)
            self._vec_env.seed(seed)
            steps = self.settings.slots * self.settings.steps
            try:
                with making_on():
                    self.model.learn(steps, reset_num_timesteps=False, log_interval=None)
            except (ValueError, AssertionError) as error:
                if isinstance(error, HsEnvError):
                    raise
                parameters = {key: value for key, value in self._arguments.items() if key != "policy_kwargs"}
                reason = str(error).partition("\n")[0]
                raise HsEnvError(f"{self.name} cannot learn with the parameters {parameters}: {reason}") from error
            self._cut_off()
        self.exploration = getattr(self.model, "exploration_rate", 0.0)
        sampled = rollout(encoder, self, batch, samples=self.settings.samples, generator=generator)
        learned = {key.removeprefix("train/"): float(value) for key, value in self.model.logger.name_to_value.items()}
        return Update(sampled.episodes, learned | sampled.metrics(reward(sampled.episodes)))

    def _resources(self, encoder: StructuredEncoder, batch: SentenceBatch, reward: Reward) -> Resources:
        from hs_env.envs.resources import Resources

        with torch.no_grad():
            sentences = EncodedSplit.from_batch(batch)
            lexicon = encoder.lexicon(batch.tokens)  # not of the whole vocabulary, for each update
            return Resources(encoder, lexicon, sentences, reward, self.settings.shaping)

    def _chosen_arguments(self) -> dict[str, Any]:
        """Return the algorithm's arguments; `steps` must be a multiple of the steps per gradient update."""
        defaults, steps = sb3_defaults()[self.name], self.settings.steps
        unit = "train_freq" if "train_freq" in defaults else "n_steps"
        fitting = {unit: min(defaults[unit], steps)}
        if "batch_size" in defaults:
            fitting["batch_size"] = min(defaults["batch_size"], steps * self.settings.slots)
        arguments = defaults | fitting | self.settings.arguments
        if not isinstance(arguments[unit], int) or arguments[unit] < 1 or steps % arguments[unit]:
            raise HsEnvError(
                f"steps must be a multiple of {unit} of {self.name}, a whole number; got {steps} and "
                f"{arguments[unit]!r}."
            )
        if self.settings.shaping and arguments["gamma"] != 1:
            raise HsEnvError(
                f"Shaping leaves the optimal policy as it is only if gamma is 1, got {arguments['gamma']!r}. Remove "
                "shaping, or gamma."
            )
        return arguments

    def _cut_off(self) -> None:
        """Mark the last steps in a replay buffer as truncated, so n-step returns stop at the reset."""
        if (buffer := getattr(self.model, "replay_buffer", None)) is not None:
            last = (buffer.pos - 1) % buffer.buffer_size
            buffer.timeouts[last] = 1 - buffer.dones[last]
            buffer.dones[last] = 1

    def start_from(self, agent: Agent) -> None:
        """See `LearningAgent.start_from`."""
        if not isinstance(agent, SB3Agent) or type(agent.policy) is not type(self.policy):
            return super().start_from(agent)
        self.policy.load_state_dict(agent.policy.state_dict())

    def save(self, path: StrPath) -> None:
        """See `LearningAgent.save`; also saves the zip file if the parameter `zip` is set."""
        save_state(path, "agent", policy_state(self.policy, self.exploration, self.name) | self.named_actions())
        if self.settings.zip:
            self.model.save(Path(path).with_suffix(".zip"))

    def state_dict(self) -> dict[str, Any]:
        """See `LearningAgent.state_dict`; includes counters and the replay buffer."""
        state = {
            "parameters": self.model.get_parameters(),
            "counters": {name: getattr(self.model, name) for name in _COUNTERS if hasattr(self.model, name)},
            "exploration": self.exploration,
        }
        if (buffer := getattr(self.model, "replay_buffer", None)) is not None:
            filled = buffer.buffer_size if buffer.full else buffer.pos
            arrays = {name: from_array(getattr(buffer, name)[:filled].copy()) for name in _BUFFER}
            state["replay_buffer"] = {"pos": buffer.pos, "full": buffer.full, "arrays": arrays}
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `LearningAgent.load_state_dict`.

        Raises:
            HsEnvError: If the state does not fit the algorithm.
        """
        if not isinstance(state["parameters"], dict):  # a text would be the path of a file to load
            raise HsEnvError(f"the parameters of {self.name} are {shown(state['parameters'])}")
        self.model.set_parameters(state["parameters"])
        check_optimizer(self.policy.optimizer)
        for name in _COUNTERS:
            if hasattr(self.model, name):
                setattr(self.model, name, _number(name, state["counters"][name], int, 2**62))
        self.exploration = _number("exploration", state["exploration"], (int, float), 1)
        if hasattr(self.model, "exploration_rate"):
            self.model.exploration_rate = self.exploration
        if (buffer := getattr(self.model, "replay_buffer", None)) is not None:
            _restore_buffer(buffer, state["replay_buffer"])


def _number(name: str, value: Any, kind: Any, largest: int) -> Any:
    """Return a number of a saved state; raise an error unless it is one of this kind, from 0 to `largest`."""
    if not isinstance(value, kind) or isinstance(value, bool) or not 0 <= value <= largest:
        raise HsEnvError(f"{name} is {shown(value)}")
    return value


def _restore_buffer(buffer: Any, saved: dict[str, Any]) -> None:
    """Restore a replay buffer; raise an error if an array has another shape or type than the buffer's."""
    full, arrays = saved["full"], saved["arrays"]
    position = _number("the position in the replay buffer", saved["pos"], int, buffer.buffer_size - 1)
    filled = buffer.buffer_size if full else position
    for name in _BUFFER:
        own, array = getattr(buffer, name)[:filled], to_array(arrays[name])
        if type(full) is not bool or (array.shape, array.dtype) != (own.shape, own.dtype):
            raise HsEnvError(f"the {name} of the replay buffer do not fit it")
        own[:] = array
    buffer.pos, buffer.full = position, full


@contextmanager
def _seeded(generator: torch.Generator | None, device: torch.device) -> Iterator[int]:
    """Seed the global generators, which Stable-Baselines3 uses, and restore them afterwards."""
    seed = int(torch.randint(2**31, (), generator=generator, device=CPU))
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    with kept_generators(device):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield seed
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)


def _kind(name: str) -> AgentKind:
    return AgentKind(
        parameters=SB3Parameters,
        make=lambda setting, parameters: SB3Learner(name, setting.encoder, setting.batch, setting.reward, parameters),
        load=restore,
        title=lambda parameters: name.replace("_", " ").upper(),
    )


for _name in ALGORITHMS:
    AGENTS.register(f"{_name}.v1")(_kind(_name))
