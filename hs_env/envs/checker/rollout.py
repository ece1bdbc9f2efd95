"""Calls of `reset` and `step`: drawn and recorded, or made again as they were."""

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
"""What `step` returns, in this order."""

_STATISTICS: Final = {"episode", "_episode"}
"""What the wrapper RecordEpisodeStatistics adds: times that no seed fixes, without masks of their own."""

Returned: TypeAlias = dict[str, Any]
"""What a call returned, by name: the `RETURNED` of `step`, or those two of `reset`."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to call.

    Attributes:
        where: Its place in the run, for messages.
        actions: Of `step`, one for each slot; None calls `reset`.
        seed: Of `reset`.
        mask: (num_envs,) bool, the slots to reset; None for all.
    """

    where: str
    actions: tuple[Any, ...] | None = None
    seed: int | None = None
    mask: NDArray[np.bool_] | None = None

    def make(self, env: VectorEnv[Any, Any, Any]) -> Returned:
        """Call `env`.

        Raises:
            VectorEnvError: It does not return a tuple as long as it should be, or `infos` is no dict.
        """
        names, found = self._call(env)
        if not isinstance(found, tuple) or len(found) != len(names):
            raise VectorEnvError(f"{self.where}: expected a tuple of {', '.join(names)}, got {found!r}.")
        returned = dict(zip(names, found, strict=True))
        if not isinstance(returned["infos"], dict):
            raise VectorEnvError(
                f"{self.where}: infos is a {type(returned['infos']).__name__}, expected one dict of arrays; check the "
                "environment without DictInfoToList and the like."
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
        request: What was called.
        returned: The very objects that it returned.
        copy: Copies of these, made at once.
    """

    request: Request
    returned: Returned
    copy: Returned


class _Actions:
    """Draws actions: the same ones for the same masks, legal ones where `infos` holds an `action_mask`."""

    def __init__(self, contract: Contract) -> None:
        self._space = deepcopy(contract.single_action_space)
        self._space.seed(0)
        self._masks: list[Any] = [None] * contract.num_envs

    def see(self, call: Call) -> None:
        """Take the masks of a call; a partial reset leaves those of the other slots."""
        for slot in range(len(self._masks)):
            if call.request.mask is None or call.request.mask[slot]:
                self._masks[slot] = _entry(call.copy["infos"], "action_mask", slot)

    def draw(self, where: str) -> tuple[Any, ...]:
        """One action for each slot."""
        return tuple(self._sample(mask, f"{where}, slot {slot}") for slot, mask in enumerate(self._masks))

    def _sample(self, mask: Any, where: str) -> Any:
        try:
            return self._space.sample(mask)
        except Exception as error:
            raise VectorEnvError(
                f"{where}: the last infos['action_mask'] is {mask!r}, which the sample() of {self._space} does not "
                f"take: {error}"
            ) from error


def _entry(infos: Mapping[str, Any], key: str, slot: int) -> Any:
    """What `infos` says for one slot under `key`; None if nothing."""
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
    """Reset once for each of `seeds`, then step with drawn actions.

    Args:
        env: The environment.
        contract: What it says about itself.
        steps: Steps.
        seeds: Of the resets.
        check: Called with each call and the one before it.
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
    """Make calls again and compare each with what it returned before.

    Args:
        env: The environment.
        calls: What to expect.
        advice: What the error says after the difference.
        requests: What to call; that of `calls` by default.
        overwritten: Which of the returned values to overwrite before the next call.

    Raises:
        VectorEnvError: With the first difference.
    """
    for request, call in zip(requests or [call.request for call in calls], calls, strict=True):
        returned = request.make(env)
        if found := returned_difference(call.copy, returned):
            raise VectorEnvError(f"{request.where}: {found}. {advice}")
        for name in overwritten:
            overwrite(returned.get(name))


def returned_difference(expected: Returned, found: Returned, tolerance: float = 0.0) -> str | None:
    """The first difference between what two calls returned."""
    both = ((name, expected[name], found[name]) for name in expected)
    differences = (difference(one, other, name, tolerance) for name, one, other in both)
    return next(filter(None, differences), None)


def same(calls: Sequence[Call], others: Sequence[Call]) -> bool:
    """Whether two series of calls returned the same."""
    return len(calls) == len(others) and not any(
        returned_difference(one.copy, other.copy) for one, other in zip(calls, others, strict=True)
    )


def ended(contract: Contract, call: Call) -> NDArray[np.bool_]:
    """(num_envs,) bool: the slots whose episode ended with this call, none if it is a reset."""
    if call.request.actions is None:
        return np.zeros(contract.num_envs, np.bool_)
    done: NDArray[np.bool_] = call.copy["terminations"] | call.copy["truncations"]
    return done


def until_end(contract: Contract, calls: Sequence[Call]) -> Sequence[Call]:
    """The calls up to the one that first ends an episode; none if no one does."""
    return next((calls[: number + 1] for number, call in enumerate(calls) if ended(contract, call).any()), [])


def per_slot(contract: Contract, observations: Any) -> list[Any]:
    """The observation of each slot."""
    return list(iterate(contract.observation_space, observations))
