"""An environment that shows all that infos may hold, and a native vector environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray

SAME_STEP = AutoresetMode.SAME_STEP
ActionMasks = NDArray[np.bool_]


class Walk(gymnasium.Env[dict[str, Any], np.int64]):
    """A walk of a random number of steps; action 1 ends it at once. Every third walk is also truncated where it ends.

    Its infos hold a bit of everything: numbers, texts, tuples, arrays, dictionaries, None, a key with an underscore, a
    key that is not a text, keys that come and go.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 5}  # type: ignore[misc]

    def __init__(self, render_mode: str | None = None) -> None:
        self.observation_space = Dict({"level": Box(-9, 9, (2,), np.float32), "step": Discrete(9)})
        self.action_space = Discrete(3)
        self.render_mode = render_mode
        self.walks = 0
        self.difficulty = 1
        self.rendered = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        self.position = 0
        self.length = int(self.np_random.integers(1, 6))
        self.walks += 1
        start = {"options": options, "fresh": True} if options else {"fresh": True}
        return self._observe(), {**self._info(), **start}

    def step(self, action: np.int64) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self.position += 1
        terminated = self.position == self.length or action == 1
        info = self._info()
        if self.position == 2:
            info["second"] = {"text": "two", "deeper": {"half": 0.5}}
        if terminated:
            info |= {"path": list(range(self.position)), "_private": self.length}
            info[7] = "seven"  # type: ignore[index]
        truncated = (terminated and self.walks % 3 == 0) or (not terminated and self.position == 4)
        return self._observe(), float(self.np_random.normal()), bool(terminated), bool(truncated), info

    def action_masks(self) -> ActionMasks:
        return np.array([True, self.position % 2 == 0, True])

    def speed(self, factor: int, name: str = "") -> tuple[int, str]:
        """A method to be called from outside."""
        return self.difficulty * factor, name

    def render(self) -> Any:
        self.rendered += 1
        return np.full((2, 3, 3), self.position, np.uint8) if self.render_mode == "rgb_array" else str(self.position)

    def _observe(self) -> dict[str, Any]:
        return {"level": self.np_random.uniform(-1, 1, 2).astype(np.float32), "step": self.position}

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = {
            "position": self.position,
            "words": ("a", "b"),
            "nothing": None,
            "name": f"walk {self.walks}",
        }
        return {**info, "action_mask": self.action_masks().astype(np.int8), "noise": self.np_random.normal(size=(2, 2))}


class Shown(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Hides the method action_masks(), so that masks are shown in the infos alone."""

    def has_wrapper_attr(self, name: str) -> bool:
        return name != "action_masks" and super().has_wrapper_attr(name)


def sync(make: Callable[[], gymnasium.Env[Any, Any]], num_envs: int = 3, **more: Any) -> SyncVectorEnv:
    """In the mode that is wanted."""
    return SyncVectorEnv([make] * num_envs, autoreset_mode=SAME_STEP, **more)


class Native(VectorEnv[Any, Any, Any]):
    """A vector environment that gives no access to the single ones which it happens to have.

    It takes an int as a seed and an array as actions and nothing else, and writes all rewards into the same array.

    Args:
        make: Makes a single one.
        masks: Whether there is a method action_masks().
        change: Changes the infos of resets and steps, to make them wrong.
    """

    def __init__(
        self,
        make: Callable[[], gymnasium.Env[Any, Any]] = Walk,
        num_envs: int = 3,
        masks: bool = False,
        change: Callable[[dict[str, Any]], Any] = lambda infos: infos,
    ) -> None:
        self._envs = sync(make, num_envs)
        self._change = change
        self.num_envs = num_envs
        self.metadata = self._envs.metadata
        self.render_mode = self._envs.render_mode
        self.single_observation_space = self._envs.single_observation_space
        self.single_action_space = self._envs.single_action_space
        self.observation_space, self.action_space = self._envs.observation_space, self._envs.action_space
        self.temperature = 1.0
        self._rewards = np.zeros(num_envs, np.float32)
        self.seeds: list[Any] = []
        if masks:
            self.action_masks = lambda: np.array(self._envs.call("action_masks"))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.seeds.append(seed)
        observations, infos = self._envs.reset(seed=seed, options=options)
        return observations, self._change(infos)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        assert isinstance(actions, np.ndarray)
        observations, self._rewards[:], terminations, truncations, infos = self._envs.step(actions)
        return observations, self._rewards, terminations, truncations, self._change(infos)

    def render(self) -> Any:
        return self._envs.render()

    def close_extras(self, **kwargs: Any) -> None:
        self._envs.close(**kwargs)


def without(*keys: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A change that takes keys out of infos."""
    return lambda infos: {key: values for key, values in infos.items() if key.removeprefix("_") not in keys}


def recorded(num_envs: int, actions: int, steps: int = 60) -> Sequence[NDArray[np.int64]]:
    """Actions for every step, the same at each call."""
    return list(np.random.default_rng(0).integers(0, actions, (steps, num_envs)))
