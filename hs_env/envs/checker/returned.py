"""Check what a single call of `reset` or `step` returns: observations, rewards, flags and infos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from gymnasium import Space, spaces

from hs_env.envs.checker.contract import Contract, VectorEnvError
from hs_env.envs.checker.rollout import Call, per_slot
from hs_env.envs.checker.values import has_nan, kind

_CORRECT: Final = "correct the values or the space"


class ReturnedCheck:
    """Checks what each call returns, and remembers the dtypes of infos between calls.

    Attributes:
        changes: Warnings, by key of infos: where and how the dtype of this key first changed.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._kinds: dict[str, str] = {}
        self.changes: dict[str, str] = {}

    def __call__(self, call: Call) -> None:
        """Check what a call returned.

        Raises:
            VectorEnvError: If a value has a wrong type, shape or dtype, is outside its space, or is NaN.
        """
        self._where = call.request.where
        self._observations(call.copy["observations"])
        if call.request.actions is not None:
            for name in ("rewards", "terminations", "truncations"):
                self._numbers(name, call.copy[name])
        self._infos("infos", call.copy["infos"])

    def _observations(self, observations: Any) -> None:
        """Check that arrays have the shape and dtype of their space, and that each slot's observation is in it."""
        space, single = self._contract.observation_space, self._contract.single_observation_space
        self._arrays("observations", space, observations)
        if observations in space:
            return
        for slot, observation in enumerate(per_slot(self._contract, observations)):
            if self._contract.uniform and observation not in single:
                nan = ", which contains NaN" if has_nan(observation) else ""
                raise VectorEnvError(
                    f"{self._where}, slot {slot}: the observation is {observation}{nan}, expected a value of the "
                    f"single observation space {single}; {_CORRECT}."
                )
        raise VectorEnvError(
            f"{self._where}: observations are outside their space, expected values of the observation space {space}; "
            f"{_CORRECT}."
        )

    def _arrays(self, path: str, space: Space[Any], value: Any) -> None:
        """Check that containers and arrays match the space."""
        if isinstance(space, spaces.Dict):
            if not isinstance(value, Mapping) or value.keys() != space.spaces.keys():
                came = sorted(map(str, value)) if isinstance(value, Mapping) else type(value).__name__
                self._fail(path, f"is {came}", f"a dict with the keys {sorted(map(str, space.spaces))}", _CORRECT)
            for key, inner in space.spaces.items():
                self._arrays(f"{path}[{key!r}]", inner, value[key])
        elif isinstance(space, spaces.Tuple):
            if not isinstance(value, tuple) or len(value) != len(space.spaces):
                self._fail(path, f"is {type(value).__name__} {value}", f"a tuple of {len(space.spaces)}", _CORRECT)
            for index, inner in enumerate(space.spaces):
                self._arrays(f"{path}[{index}]", inner, value[index])
        elif isinstance(space, (spaces.Box, spaces.MultiDiscrete, spaces.MultiBinary)):
            expected = f"an array of shape {space.shape} and dtype {space.dtype}"
            if not isinstance(value, np.ndarray):
                self._fail(path, f"is {type(value).__name__} {value}", expected, _CORRECT)
            if (value.shape, value.dtype) != (space.shape, space.dtype):
                self._fail(path, f"has {kind(value)}", expected, _CORRECT)

    def _numbers(self, name: str, value: Any) -> None:
        """Check for one value per slot: floats without NaN as rewards, bools as flags."""
        dtype, kinds = ("float", "f") if name == "rewards" else ("bool", "b")
        expected = f"an array of shape ({self._contract.num_envs},) and dtype {dtype}"
        advice = f"return one {dtype} per slot"
        if not isinstance(value, np.ndarray):
            self._fail(name, f"is {type(value).__name__} {value}", expected, advice)
        if value.shape != (self._contract.num_envs,) or value.dtype.kind not in kinds:
            self._fail(name, f"has {kind(value)}", expected, advice)
        for slot in np.flatnonzero(np.isnan(value)):
            self._fail(f"{name}[slot {slot}]", "is NaN", "a number", "correct its computation")

    def _infos(self, path: str, infos: Mapping[Any, Any]) -> None:
        """Check that each key has a mask and each value one entry per slot, without NaN; note dtypes that change."""
        for key, value in infos.items():
            name = f"{path}[{key!r}]"
            if not isinstance(key, str):
                self._fail(path, f"has the key {key!r}", "strings as keys", "rename it")
            if key.startswith("_"):
                if (masked := key[1:]) not in infos:
                    expected = "a leading '_' only for the masks of other keys"
                    self._fail(path, f"has {key!r} without {masked!r}", expected, f"rename it, or add {masked!r}")
                continue
            mask = self._mask(infos, f"_{key}", path)
            if isinstance(value, Mapping):
                self._kind(name, "dict")
                self._infos(name, value)
                continue
            if not isinstance(value, np.ndarray) or value.shape[:1] != (self._contract.num_envs,):
                came = f"has {kind(value)}" if isinstance(value, np.ndarray) else f"is {type(value).__name__} {value}"
                expected = f"an array of length {self._contract.num_envs}, or a dict of such arrays"
                self._fail(name, came, expected, "return one entry per slot")
            self._kind(name, str(value.dtype))
            for slot in np.flatnonzero(mask):
                if has_nan(value[slot]):
                    advice = f"if the slot has no value, set its entry in '_{key}' to False"
                    self._fail(f"{name}[slot {slot}]", "contains NaN", "a number", advice)

    def _mask(self, infos: Mapping[str, Any], key: str, path: str) -> Any:
        """Return the mask of a key, after checking its type, shape and dtype."""
        expected = f"a bool array of shape ({self._contract.num_envs},), True where a slot has {key[1:]!r}"
        if key not in infos:
            self._fail(path, f"has no {key!r}", expected, "add it")
        mask = infos[key]
        if not isinstance(mask, np.ndarray) or mask.shape != (self._contract.num_envs,) or mask.dtype != np.bool_:
            came = f"has {kind(mask)}" if isinstance(mask, np.ndarray) else f"is {type(mask).__name__} {mask}"
            self._fail(f"{path}[{key!r}]", came, expected, "return one bool per slot")
        return mask

    def _kind(self, name: str, found: str) -> None:
        """Note the first time that a key's dtype changes: a warning only, as Gymnasium's own environments do it."""
        known = self._kinds.setdefault(name, found)
        if found != known and name not in self.changes:
            self.changes[name] = (
                f"{self._where}: {name} is now {found}, expected {known} as before; always use the same. Gymnasium's "
                "vector environments use the dtype of the first slot and round the values of the others."
            )

    def _fail(self, path: str, found: str, expected: str, advice: str) -> None:
        raise VectorEnvError(f"{self._where}: {path} {found}, expected {expected}; {advice}.")
