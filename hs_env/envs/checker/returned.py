"""What `reset` and `step` return, looked at by itself: observations, rewards, flags, infos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import Space, spaces

from hs_env.envs.checker.contract import Contract, VectorEnvError
from hs_env.envs.checker.rollout import Call, per_slot
from hs_env.envs.checker.values import has_nan, kind


class ReturnedCheck:
    """Checks the values of one call after the other.

    Attributes:
        changes: What to warn of: for each key of infos whose dtype is not always the same, where and how it changed.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._kinds: dict[str, str] = {}
        self.changes: dict[str, str] = {}

    def __call__(self, call: Call) -> None:
        """Check what a call returned.

        Raises:
            VectorEnvError: See the methods.
        """
        self._where = call.request.where
        self._observations(call.copy["observations"])
        if call.request.actions is not None:
            for name in ("rewards", "terminations", "truncations"):
                self._numbers(name, call.copy[name])
        self._infos("infos", call.copy["infos"])

    def _observations(self, observations: Any) -> None:
        """Each array has the shape and dtype of its space, each slot lies in its space."""
        space, single = self._contract.observation_space, self._contract.single_observation_space
        self._arrays("observations", space, observations)
        if observations in space:
            return
        for slot, observation in enumerate(per_slot(self._contract, observations)):
            if self._contract.uniform and observation not in single:
                nan = ", it holds NaN" if has_nan(observation) else ""
                raise VectorEnvError(
                    f"{self._where}, slot {slot}: the observation {observation} is not in the single observation "
                    f"space {single}{nan}; mend the values or the space."
                )
        raise VectorEnvError(
            f"{self._where}: observations are not in the observation space {space}; mend the values or the space."
        )

    def _arrays(self, path: str, space: Space[Any], value: Any) -> None:
        """Containers and arrays are those of the space."""
        if isinstance(space, spaces.Dict):
            if not isinstance(value, Mapping) or value.keys() != space.spaces.keys():
                came = sorted(map(str, value)) if isinstance(value, Mapping) else type(value).__name__
                self._fail(path, f"is {came}", f"a dict with the keys {sorted(map(str, space.spaces))}")
            for key, inner in space.spaces.items():
                self._arrays(f"{path}[{key!r}]", inner, value[key])
        elif isinstance(space, spaces.Tuple):
            if not isinstance(value, tuple) or len(value) != len(space.spaces):
                self._fail(path, f"is {type(value).__name__} {value}", f"a tuple of {len(space.spaces)}")
            for index, inner in enumerate(space.spaces):
                self._arrays(f"{path}[{index}]", inner, value[index])
        elif isinstance(space, (spaces.Box, spaces.MultiDiscrete, spaces.MultiBinary)):
            expected = f"an array of shape {space.shape} and dtype {space.dtype}"
            if not isinstance(value, np.ndarray):
                self._fail(path, f"is {type(value).__name__} {value}", expected)
            if (value.shape, value.dtype) != (space.shape, space.dtype):
                self._fail(path, f"has {kind(value)}", expected)

    def _numbers(self, name: str, value: Any) -> None:
        """Rewards are floats and no NaN, flags are bool, one a slot."""
        dtype, kinds = ("float", "f") if name == "rewards" else ("bool", "b")
        expected = f"an array of shape ({self._contract.num_envs},) and dtype {dtype}"
        if not isinstance(value, np.ndarray):
            self._fail(name, f"is {type(value).__name__} {value}", expected)
        if value.shape != (self._contract.num_envs,) or value.dtype.kind not in kinds:
            self._fail(name, f"has {kind(value)}", expected)
        for slot in np.flatnonzero(np.isnan(value)):
            self._fail(f"{name}[slot {slot}]", "is NaN", "a number")

    def _infos(self, path: str, infos: Mapping[Any, Any]) -> None:
        """Each key has its mask, each value one entry a slot, in the same dtype as ever, without NaN."""
        for key, value in infos.items():
            name = f"{path}[{key!r}]"
            if not isinstance(key, str):
                self._fail(path, f"has the key {key!r}", "strings as keys")
            if key.startswith("_"):
                if key[1:] not in infos:
                    self._fail(
                        path, f"has {key!r} without {key[1:]!r}", "a leading '_' for the masks of other keys only"
                    )
                continue
            mask = self._mask(infos, f"_{key}", path)
            if isinstance(value, Mapping):
                self._kind(name, "dict")
                self._infos(name, value)
                continue
            if not isinstance(value, np.ndarray) or value.shape[:1] != (self._contract.num_envs,):
                came = f"has {kind(value)}" if isinstance(value, np.ndarray) else f"is {type(value).__name__} {value}"
                self._fail(name, came, f"an array of length {self._contract.num_envs}, or a dict of such arrays")
            self._kind(name, str(value.dtype))
            for slot in np.flatnonzero(mask):
                if has_nan(value[slot]):
                    self._fail(f"{name}[slot {slot}]", "holds NaN", "a number, or no entry where there is none")

    def _mask(self, infos: Mapping[str, Any], key: str, path: str) -> Any:
        """The mask of a key."""
        expected = f"a bool array of shape ({self._contract.num_envs},), True where a slot has {key[1:]!r}"
        if key not in infos:
            self._fail(path, f"has no {key!r}", expected)
        mask = infos[key]
        if not isinstance(mask, np.ndarray) or mask.shape != (self._contract.num_envs,) or mask.dtype != np.bool_:
            came = f"has {kind(mask)}" if isinstance(mask, np.ndarray) else f"is {type(mask).__name__} {mask}"
            self._fail(f"{path}[{key!r}]", came, expected)
        return mask

    def _kind(self, name: str, found: str) -> None:
        """Note, once a key, if it is another than it was; environments of Gymnasium itself do that."""
        known = self._kinds.setdefault(name, found)
        if found != known and name not in self.changes:
            self.changes[name] = (
                f"{self._where}: {name} has become {found}, expected {known} as before. Gymnasium's vector "
                "environments take the dtype of the first slot, so that a mixture rounds the others; keep to one."
            )

    def _fail(self, path: str, found: str, expected: str) -> None:
        raise VectorEnvError(f"{self._where}: {path} {found}, expected {expected}.")
