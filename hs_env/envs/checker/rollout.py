"""Record calls of `reset` and `step` with sampled actions, and replay them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array, iterate
from numpy.typing import NDArray

from hs_env.envs.checker.contract import Contract, VectorEnvError
from hs_env.envs.checker.values import difference, overwrite

_RESET: Final = ("observations", "infos")
RETURNED: Final = ("observations", "rewards", "terminations", "truncations", "infos")
"""Names of the values that `step` returns, in their order."""

_STATISTICS: Final = {"episode", "_episode"}
"""Keys of infos that RecordEpisodeStatistics adds. They contain times, which no seed repeats, and lack inner masks."""

Returned: TypeAlias = dict[str, Any]
"""Values that a call returned, by name: all of `RETURNED` for `step`, observations and infos for `reset`."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call of `reset` or `step` to make.

    Attributes:
        where: Name of the call in messages, such as "step 3".
        actions: Actions of `step`, one per slot; None calls `reset`.
        seed: Seed of `reset`.
        mask: (N,) bool, slots to reset; None resets all.
    """

    where: str
    actions: tuple[Any, ...] | None = None
    seed: int | None = None
    mask: NDArray[np.bool_] | None = None

    def make(self, env: VectorEnv[Any, Any, Any]) -> Returned:
        """Make the call on a vector environment.

        Returns:
            Returned values by name, without the keys that RecordEpisodeStatistics adds to infos.

        Raises:
            VectorEnvError: If the call does not return a tuple of the right length, or infos is not a dict.
        """
        names, found = self._call(env)
        if not isinstance(found, tuple) or len(found) != len(names):
            raise VectorEnvError(
                f"{self.where}: expected a tuple of {', '.join(names)}, in this order; return exactly these. "
                f"Got {found!r}."
            )
        returned = dict(zip(names, found, strict=True))
        if not isinstance(returned["infos"], dict):
            raise VectorEnvError(
                f"{self.where}: infos is a {type(returned['infos']).__name__}, expected one dict of arrays; remove "
                "wrappers that convert infos, such as DictInfoToList."
            )
        return returned | {"infos": _without_statistics(returned["infos"])}

    def _call(self, env: VectorEnv[Any, Any, Any]) -> tuple[tuple[str, ...], Any]:
        if self.actions is None:
            options = None if self.mask is None else {"reset_mask": self.mask.copy()}
            return _RESET, env.reset(seed=self.seed, options=options)
        space = env.single_action_space
        empty: Any = create_empty_array(space, env.num_envs)
        return RETURNED, env.step(concatenate(space, self.actions, empty))


def _without_statistics(infos: Mapping[Any, Any]) -> dict[Any, Any]:
    return {
        key: _without_statistics(value) if isinstance(value, Mapping) else value
        for key, value in infos.items()
        if key not in _STATISTICS
    }


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made.

    Attributes:
        request: The request.
        returned: Objects that the call returned, which later calls might change.
        copy: Deep copies of them, made right after the call.
    """

    request: Request
    returned: Returned
    copy: Returned


class _Actions:
    """Samples reproducible actions, legal ones if infos contain an `action_mask`."""

    def __init__(self, contract: Contract) -> None:
        self._space = deepcopy(contract.single_action_space)
        self._space.seed(0)
        self._masks: list[Any] = [None] * contract.num_envs

    def see(self, call: Call) -> None:
        """Store the action masks of a call; a partial reset keeps those of the other slots."""
        for slot in range(len(self._masks)):
            if call.request.mask is None or call.request.mask[slot]:
                self._masks[slot] = _entry(call.copy["infos"], "action_mask", slot)

    def draw(self, where: str) -> tuple[Any, ...]:
        """Sample one action per slot."""
        return tuple(self._sample(mask, f"{where}, slot {slot}") for slot, mask in enumerate(self._masks))

    def _sample(self, mask: Any, where: str) -> Any:
        try:
            return self._space.sample(mask)
        except Exception as error:
            raise VectorEnvError(
                f"{where}: {self._space}.sample() rejected the last infos['action_mask'], {mask!r}; return masks that "
                f"it accepts. It said: {error}"
            ) from error


def _entry(infos: Mapping[str, Any], key: str, slot: int) -> Any:
    """Return the entry of one slot for `key`; None if it has none."""
    if key not in infos or not infos[f"_{key}"][slot]:
        return None
    value = infos[key]
    if isinstance(value, Mapping):
        return {inner: _entry(value, inner, slot) for inner in value if not inner.startswith("_")}
    return value[slot]


def record(
    env: VectorEnv[Any, Any, Any],
    contract: Contract,
    steps: int,
    seeds: Sequence[int | None],
    check: Callable[[Call | None, Call], None],
) -> list[Call]:
    """Reset the whole environment once per seed, one reset after the other, then step with sampled actions.

    Args:
        env: Vector environment to call.
        contract: Attributes of the environment.
        steps: Number of steps after the last reset.
        seeds: Seeds of the resets.
        check: Runs after each recorded call as `check(previous, current)`; `previous` is None for the first.

    Returns:
        All recorded calls in order. If the autoreset mode is DISABLED, they include the partial resets.
    """
    actions, calls = _Actions(contract), list[Call]()

    def make(request: Request) -> Call:
        returned = request.make(env)
        call = Call(request, returned, deepcopy(returned))
        check(calls[-1] if calls else None, call)
        actions.see(call)
        calls.append(call)
        return call

    for seed in seeds:
        make(Request(f"reset(seed={seed})", seed=seed))
    for step in range(1, steps + 1):
        done = ended(contract, make(Request(f"step {step}", actions.draw(f"step {step}"))))
        if contract.mode is AutoresetMode.DISABLED and done.any():
            make(Request(f"reset of the finished slots after step {step}", mask=done))
    return calls


def replay(
    env: VectorEnv[Any, Any, Any],
    calls: Sequence[Call],
    advice: str,
    *,
    requests: Sequence[Request] | None = None,
    overwritten: Sequence[str] = (),
) -> None:
    """Make recorded calls again and compare what they return.

    Args:
        env: Vector environment to call.
        calls: Recorded calls, whose values are expected again.
        advice: Text after the difference in the error message: what was repeated, and what to do.
        requests: Requests to make, by default those of `calls`.
        overwritten: Names of the returned values to overwrite before the next call.

    Raises:
        VectorEnvError: If a value differs; the first difference is reported.
    """
    for request, call in zip(requests or [call.request for call in calls], calls, strict=True):
        returned = request.make(env)
        if found := returned_difference(call.copy, returned):
            raise VectorEnvError(f"{request.where}: {found}. {advice}")
        for name in overwritten:
            overwrite(returned.get(name))


def returned_difference(expected: Returned, found: Returned, tolerance: float = 0.0) -> str | None:
    """Describe the first difference between the values of two calls; None if there is none."""
    both = ((name, expected[name], found[name]) for name in expected)
    differences = (difference(one, other, name, tolerance) for name, one, other in both)
    return next(filter(None, differences), None)


def same(calls: Sequence[Call], others: Sequence[Call]) -> bool:
    """Return whether two sequences of calls returned the same."""
    return len(calls) == len(others) and not any(
        returned_difference(one.copy, other.copy) for one, other in zip(calls, others, strict=True)
    )


def ended(contract: Contract, call: Call) -> NDArray[np.bool_]:
    """Return an (N,) bool mask of the slots whose episode ended in this call; all False for a reset."""
    if call.request.actions is None:
        return np.zeros(contract.num_envs, np.bool_)
    done: NDArray[np.bool_] = call.copy["terminations"] | call.copy["truncations"]
    return done


def until_end(contract: Contract, calls: Sequence[Call]) -> Sequence[Call]:
    """Return the calls up to the first one that ends an episode, included; none if no call ends one."""
    return next((calls[: number + 1] for number, call in enumerate(calls) if ended(contract, call).any()), [])


def per_slot(contract: Contract, observations: Any) -> list[Any]:
    """Split observations into one observation per slot."""
    return list(iterate(contract.observation_space, observations))
