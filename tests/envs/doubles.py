"""Environments for the tests of the checker: one with faults to choose, one for arbitrary spaces."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy
from itertools import count
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from hs_env.envs.checker import check_vector_env

Returned: TypeAlias = dict[str, Any]
"""Values that `reset` or `step` is about to return, by name."""

Fault: TypeAlias = Callable[["Walks", Returned], Any]


EVERY = np.ones(3, np.bool_)
EVERY.flags.writeable = False  # The checker overwrites returned arrays.


class Walks(VectorEnv[Any, Any, Any]):
    """Three slots, each of which walks to a random goal in steps of one or two and must not step past it.

    An episode is truncated, not terminated, if its goal is 5.

    Args:
        mode: Autoreset mode; all three are implemented.
        render_mode: None or "ansi".
        fault: Function that may change the environment and the values it is about to return.
    """

    def __init__(
        self,
        mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        fault: Fault = lambda env, returned: None,
    ) -> None:
        self.metadata = {"render_modes": ["ansi"], "autoreset_mode": mode}
        self.autoreset_mode = mode
        self.render_mode = render_mode
        self.num_envs = 3
        self.single_observation_space = spaces.Box(0, 5, (2,), np.float32)
        self.single_action_space = spaces.Discrete(2)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.fault = fault
        self.generators = [np.random.default_rng() for _ in range(self.num_envs)]
        self.state = np.zeros((self.num_envs, 2), np.float32)
        self.done = np.zeros(self.num_envs, np.bool_)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        mask = np.ones(self.num_envs, np.bool_) if options is None else options["reset_mask"]
        self.seed_slots(seed)
        self.begin(mask)
        return self.give(observations=self.state.copy(), infos=self.infos(mask))  # type: ignore[return-value]

    def seed_slots(self, seed: Any) -> None:
        if seed is not None:
            seeds = [seed + slot for slot in range(self.num_envs)] if isinstance(seed, int) else seed
            for slot, each in enumerate(seeds):
                if each is not None:
                    self.generators[slot] = np.random.default_rng(each)

    def begin(self, mask: NDArray[np.bool_]) -> None:
        for slot in np.flatnonzero(mask):
            self.state[slot] = 0, self.generators[slot].integers(2, 6)
        self.done[mask] = False

    def infos(self, mask: NDArray[np.bool_]) -> dict[str, Any]:
        legal = np.stack([np.ones(self.num_envs), self.state[:, 0] + 2 <= self.state[:, 1]], 1).astype(np.int8)
        position = self.state[:, 0].astype(np.int64)
        return {"action_mask": legal, "_action_mask": mask.copy(), "position": position, "_position": mask.copy()}

    def end(self, done: NDArray[np.bool_]) -> dict[str, Any]:
        score = np.where(done, self.state[:, 1] / 10, 0.0)
        terms = {"score": score, "_score": done.copy()}
        return {"terms": terms, "_terms": done.copy()} if done.any() else {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        restart = self.done.copy()
        if self.autoreset_mode is AutoresetMode.DISABLED and restart.any():
            raise RuntimeError("reset the finished slots first")
        self.state[:, 0] = np.minimum(self.state[:, 0] + 1 + actions, self.state[:, 1])
        self.begin(restart)
        done = self.state[:, 0] == self.state[:, 1]
        truncated = done & (self.state[:, 1] == 5)
        rewards = np.where(restart, 0.0, self.state[:, 0].astype(float) / 10)
        every = np.ones(self.num_envs, np.bool_)
        self.done = done.copy()
        final: dict[str, Any] = {}
        end = self.end(done)
        if self.autoreset_mode is AutoresetMode.SAME_STEP and done.any():
            last = np.full(self.num_envs, None, object)
            for slot in np.flatnonzero(done):
                last[slot] = self.state[slot].copy()
            final_info = self.infos(done) | end
            final = {"final_obs": last, "_final_obs": done.copy(), "final_info": final_info, "_final_info": done.copy()}
            self.begin(done)
            end = {}
        return self.give(  # type: ignore[return-value]
            observations=self.state.copy(),
            rewards=rewards,
            terminations=done & ~truncated,
            truncations=truncated,
            infos=self.infos(every) | end | final,
        )

    def give(self, **returned: Any) -> tuple[Any, ...]:
        self.fault(self, returned)
        return tuple(returned.values())

    def render(self) -> Any:
        return tuple(str(state) for state in self.state)


def put(name: str, change: Callable[[Any], Any], start: int = 0) -> Fault:
    """Make a fault that changes one of the returned values; it skips the first `start` calls that return it."""
    calls = count()

    def fault(env: Walks, returned: Returned) -> None:
        if name in returned and next(calls) >= start:
            returned[name] = change(returned[name])

    return fault


def inform(change: Callable[[dict[str, Any]], Any], start: int = 0) -> Fault:
    """Make a fault that changes infos in place."""

    def changed(infos: dict[str, Any]) -> dict[str, Any]:
        change(infos)
        return infos

    return put("infos", changed, start)


def slot_one(value: Any) -> Callable[[Any], Any]:
    """Make a change that puts a value into slot 1 of an array."""

    def change(array: Any) -> Any:
        array[1] = value
        return array

    return change


def flag_all(name: str) -> Fault:
    """Make a fault that ends all episodes at every step."""

    def fault(env: Walks, returned: Returned) -> None:
        if name in returned:
            returned.update(rewards=np.zeros(3), terminations=~EVERY, truncations=~EVERY)
            returned[name] = EVERY.copy()

    return fault


class Sampler(gymnasium.Env[Any, Any]):
    """An environment with observations sampled from its space, episodes of three steps and a constant action mask."""

    def __init__(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any], mask: Any) -> None:
        self.observation_space, self.action_space, self.mask = deepcopy(observation_space), action_space, mask
        self.left = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self.observation_space.seed(seed)
        self.left = 3
        return self.observation_space.sample(), {"action_mask": deepcopy(self.mask)}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.left
        assert action in self.action_space
        self.left -= 1
        return self.observation_space.sample(), 1.0, not self.left, False, {"action_mask": deepcopy(self.mask)}


def make_sampler() -> Sampler:
    return Sampler(spaces.Box(-1, 1, (2,)), spaces.Discrete(2), np.array([0, 1], np.int8))


def warned(env: VectorEnv[Any, Any, Any], reference: VectorEnv[Any, Any, Any] | None = None, steps: int = 20) -> str:
    """Return the warnings of the checker, one per line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_vector_env(env, reference, steps=steps)
    assert {warning.filename for warning in caught} <= {__file__}
    return "\n".join(str(warning.message) for warning in caught)
