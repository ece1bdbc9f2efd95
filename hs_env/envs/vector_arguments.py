"""Check what callers pass to a vector environment."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike, NDArray

from hs_env.errors import HsEnvError
from hs_env.problems.problem import Problem
from hs_env.registry import unknown_name


def mode_of(given: AutoresetMode | str) -> AutoresetMode:
    """Return an autoreset mode by its name.

    Raises:
        HsEnvError: If there is none of this name.
    """
    modes = [mode.value for mode in AutoresetMode]
    if given not in [*AutoresetMode, *modes]:
        raise unknown_name("autoreset mode", str(given), modes)
    return AutoresetMode(given)


def slot_count(given: object) -> int:
    """Return a number of slots as a Python integer.

    Raises:
        HsEnvError: If it is not a whole number of 1 or more.
    """
    if not isinstance(given, int | np.integer) or isinstance(given, bool) or given < 1:
        raise HsEnvError(f"num_envs must be a whole number of 1 or more, got {given!r}.")
    return int(given)


def step_limit(given: object) -> int | None:
    """Return a limit of steps as a Python integer. Like Gymnasium, take -1 for no limit.

    Raises:
        HsEnvError: If it is neither a whole number of 1 or more, nor -1, nor None.
    """
    if given is None:
        return None
    if not isinstance(given, int | np.integer) or isinstance(given, bool) or (given < 1 and given != -1):
        raise HsEnvError(f"max_episode_steps must be a whole number of 1 or more, or None, got {given!r}.")
    return None if given == -1 else int(given)


def checked_actions(actions: ArrayLike, count: int, problem: Problem) -> NDArray[np.int64]:
    """Return the actions of all slots, (count,) int64.

    Raises:
        HsEnvError: If `actions` is not an array of `count` integers, or one is no action of the problem.
    """
    try:
        array = np.asarray(actions)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    if array.shape != (count,) or array.dtype.kind not in "iub":
        raise HsEnvError(
            f"Expected {count} actions, {problem.choices}, as integers of shape ({count},); "
            f"got {array.dtype} of shape {array.shape}."
        )
    if wrong := np.flatnonzero((array < 0) | (array >= problem.num_actions)).tolist():
        raise HsEnvError(f"The action of slot {wrong[0]} is {array[wrong[0]]}, expected {problem.choices}.")
    return array.astype(np.int64)


def masked_slots(mask: Any, count: int, begun: bool) -> NDArray[np.int64]:
    """Return the slots (R,) that a reset mask selects.

    Args:
        mask: (count,) bool.
        count: Number of slots.
        begun: Whether the slots have sentences already.

    Raises:
        HsEnvError: If the mask has another type or shape, or selects no slot.
        ResetNeeded: If it leaves out a slot that has no sentence yet.
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (count,):
        came = f"{mask.dtype} of shape {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise HsEnvError(f"The reset_mask must be a NumPy array of bool of shape ({count},), got {came}.")
    if not mask.any():
        raise HsEnvError("The reset_mask is False everywhere; omit the call, or select a slot to reset.")
    if not begun and not mask.all():
        raise ResetNeeded("There are no sentences yet: call reset() without a mask first.")
    return np.flatnonzero(mask)


def seeds_of(seed: int | Sequence[int | None] | None, rows: NDArray[np.int64], count: int) -> list[int | None]:
    """Check the seeds of all slots, and return those of the slots `rows`.

    Args:
        seed: An integer s for the seeds s, s + 1, ...; a sequence of `count` seeds or Nones; or None for no seed.
        rows: (R,) slots.
        count: Number of slots.

    Raises:
        HsEnvError: If a seed is negative or no integer, or there are not `count` of them.
    """
    if seed is None:
        return [None] * len(rows)
    try:
        given: Iterable[int | None] = (
            seed
            if isinstance(seed, Sequence | np.ndarray)
            else range(operator.index(seed), operator.index(seed) + count)
        )
        seeds = [None if one is None else operator.index(one) for one in given]
    except TypeError:
        seeds = []
    if len(seeds) != count or min((one for one in seeds if one is not None), default=0) < 0:
        raise HsEnvError(f"The seed is {seed!r}, expected an integer from 0, or one or None for each of {count}.")
    return [seeds[slot] for slot in rows.tolist()]
