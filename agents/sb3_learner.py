"""Algorithms of Stable-Baselines3 and sb3-contrib that learn on a frozen encoder."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from hs_env.corpora.encoded import EncodedSplit
from hs_env.envs.resources import Resources
from hs_env.envs.vector import EncoderVectorEnv
from hs_env.errors import HsEnvError, check_ranges
from hs_env.models.encoder import StructuredEncoder
from hs_env.rewards import Reward
from hs_env.storage import save_state
from hs_env.types import SentenceBatch

from .base import AGENTS, AgentKind, LearningAgent, Update
from .rollout import rollout
from .sb3 import ALGORITHMS, SB3Agent, restore, sb3_algorithm, sb3_defaults

_COUNTERS: Final = ("num_timesteps", "_n_updates", "_n_calls")
_BUFFER: Final = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


@dataclass(frozen=True)
class SB3Parameters:
    """How an algorithm of Stable-Baselines3 learns."""

    slots: int = 64
    """Sentences that are read side by side."""
    steps: int = 128
    """Words that are decided in each slot in an update."""
    samples: int = 5
    """Episodes of each sentence that the C-Net learns from after an update."""
    arguments: dict[str, int | float | str] = field(default_factory=dict)
    """Arguments of the algorithm that replace its defaults (`agents/sb3.toml`), such as `{"learning_rate": 1e-4}`."""
    shaping: bool = False
    """Reward every word by the change of the log-likelihood of the gold class too; changes no best policy."""
    zip: bool = False
    """Also save the algorithm's own zip file, for Stable-Baselines3 itself. It holds a pickle."""

    def __post_init__(self) -> None:
        check_ranges(self, slots=(1, 1e6), steps=(1, 1e6), samples=(1, 1e6))


class SB3Learner(SB3Agent, LearningAgent):
    """An algorithm of Stable-Baselines3 as the P-Net of the trainer.

    An update lets the algorithm learn on a vector environment over the encoder as it stands, which draws its sentences
    from the batch; then the policy reads each sentence of the batch `samples` times, for the C-Net to learn from.
    Sentences are begun anew in every update, so nothing that was seen of an older encoder is left but, in DQN, the
    replay buffer.

    Args:
        name: One of `ALGORITHMS`.
        encoder: The encoder.
        batch: Sentences to start with.
        reward: The reward.
        parameters: How it learns.

    Attributes:
        model: The algorithm, `stable_baselines3.PPO` or another.
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

        from hs_env.interop.sb3 import SB3VecEnv

        self.name, self.settings = name, parameters or SB3Parameters()
        self.state_size, self.num_actions = encoder.state_size, encoder.problem.num_actions
        self._env = EncoderVectorEnv(self._resources(encoder, batch, reward), self.settings.slots, "SameStep")
        self._vec_env = SB3VecEnv(self._env)
        self._arguments = self._chosen_arguments()
        arguments = deepcopy(self._arguments)  # which an algorithm may add to
        try:
            self.model: Any = sb3_algorithm(name)(env=self._vec_env, device="cpu", **arguments)
            self.model.set_logger(Logger(None, []))  # its own would make a folder for each update
            super().__init__(self.model.policy)
        except Exception as error:  # what an algorithm raises for bad arguments is of every kind
            raise HsEnvError(f"{name} does not take the parameters {self.settings.arguments}: {error}") from error

    def update(
        self,
        encoder: StructuredEncoder,
        batch: SentenceBatch,
        reward: Reward,
        *,
        generator: torch.Generator | None = None,
    ) -> Update:
        """Learn for `steps` steps in `slots` slots, then read the batch."""
        with _seeded(generator) as seed:
            self._env.load(self._resources(encoder, batch, reward))
            self.model.set_env(self._vec_env)  # which also makes it forget its last observation
            self.model.action_space.seed(seed)
            self._vec_env.seed(seed)
            steps = self.settings.slots * self.settings.steps
            try:
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
        learnt = {key.removeprefix("train/"): float(value) for key, value in self.model.logger.name_to_value.items()}
        return Update(sampled.episodes, learnt | sampled.metrics(reward(sampled.episodes)))

    def _resources(self, encoder: StructuredEncoder, batch: SentenceBatch, reward: Reward) -> Resources:
        with torch.no_grad():
            sentences = EncodedSplit.from_batch(batch)
            return Resources(encoder, encoder.lexicon(), sentences, reward, self.settings.shaping)

    def _chosen_arguments(self) -> dict[str, Any]:
        """The algorithm's arguments; what it collects between two of its own updates must fit into `steps`."""
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
        return arguments

    def _cut_off(self) -> None:
        """Mark in a replay buffer that sentences are not read on: n-step returns must not go on into the next ones."""
        if (buffer := getattr(self.model, "replay_buffer", None)) is not None:
            last = (buffer.pos - 1) % buffer.buffer_size
            buffer.timeouts[last] = 1 - buffer.dones[last]
            buffer.dones[last] = 1

    def save(self, path: Path) -> None:
        """See `LearningAgent.save`; beside it the algorithm's own zip file, if the config asks for it."""
        state = {
            "agent": f"{self.name}.v1",
            "algorithm": self.name,
            "state_size": self.state_size,
            "num_actions": self.num_actions,
            "policy": self._arguments["policy"],
            "policy_kwargs": self._arguments.get("policy_kwargs", {}),
            "exploration": self.exploration,
            "weights": self.policy.state_dict(),
        }
        save_state(path, "agent", state)
        if self.settings.zip:
            self.model.save(path.with_suffix(".zip"))

    def state_dict(self) -> dict[str, Any]:
        """Policy, optimisers, counters and the replay buffer."""
        state = {
            "parameters": self.model.get_parameters(),
            "counters": {name: getattr(self.model, name) for name in _COUNTERS if hasattr(self.model, name)},
            "exploration": self.exploration,
        }
        if (buffer := getattr(self.model, "replay_buffer", None)) is not None:
            filled = buffer.buffer_size if buffer.full else buffer.pos
            arrays = {name: torch.from_numpy(getattr(buffer, name)[:filled].copy()) for name in _BUFFER}
            state["replay_buffer"] = {"pos": buffer.pos, "full": buffer.full, "arrays": arrays}
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `LearningAgent.load_state_dict`."""
        self.model.set_parameters(state["parameters"])
        for name, value in state["counters"].items():
            setattr(self.model, name, value)
        self.exploration = state["exploration"]
        if "replay_buffer" in state:
            buffer, saved = self.model.replay_buffer, state["replay_buffer"]
            buffer.pos, buffer.full = saved["pos"], saved["full"]
            for name, array in saved["arrays"].items():
                getattr(buffer, name)[: len(array)] = array.numpy()


@contextmanager
def _seeded(generator: torch.Generator | None) -> Iterator[int]:
    """Stable-Baselines3 draws from the global generators; seed them, and give them back as they were."""
    seed = int(torch.randint(2**31, (), generator=generator))
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
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
