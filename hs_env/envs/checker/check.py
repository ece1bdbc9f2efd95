"""The checks in order."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Final

from gymnasium.vector import AutoresetMode, VectorEnv

from hs_env.envs.checker.autoreset import (
    check_autoreset,
    warn_of_episodes,
    warn_of_finished_slots,
    warn_of_popped_mask,
    with_other_ignored_actions,
)
from hs_env.envs.checker.contract import Contract, VectorEnvError, read_contract
from hs_env.envs.checker.returned import ReturnedCheck
from hs_env.envs.checker.rollout import RETURNED, Call, per_slot, record, replay, returned_difference, same, until_end
from hs_env.envs.checker.values import difference

TOLERANCE: Final = 1e-5
"""Of floats, against a reference: batched and single computations round differently."""

_UNSEEDED: Final = (None,) * 4
"""Resets without a seed. Several, since one can repeat a start by chance where there are few."""


def check_vector_env(
    env: VectorEnv[Any, Any, Any],
    reference: VectorEnv[Any, Any, Any] | None = None,
    *,
    steps: int = 200,
    seed: int = 0,
) -> None:
    """Check that a vector environment keeps to Gymnasium's contract, in the autoreset mode that it declares.

    | what | how |
    |---|---|
    | attributes | spaces, `num_envs`, `metadata` and `autoreset_mode` agree |
    | returned values | shapes, dtypes, spaces, no NaN; each key of infos with its mask and in one dtype |
    | action masks | actions are drawn under `infos["action_mask"]`, which the single action space must take |
    | end of episodes | what NEXT_STEP, SAME_STEP or DISABLED promises |
    | memory | what was returned never changes, and to write into it changes nothing |
    | seeds | the same one gives the same, another another, and a reset without one goes on |
    | `render`, `close` | one frame for each slot; to close twice is allowed |
    | equality | with `reference`: floats to 1e-5, all else exactly |

    The environment is used up: it is reset and stepped many times and closed at the end. One that raises is left open.
    What may be meant so, or is so in environments of Gymnasium itself, is a `UserWarning` rather than an error.

    Wrappers whose statistics outlive a reset, such as NormalizeObservation, cannot pass, nor can those that turn infos
    into lists or arrays into those of another library. What RecordEpisodeStatistics adds is not looked at. Whether the
    state behind the observations was reset, only a reference can tell.

    Args:
        env: The environment, new or at least not closed.
        reference: One that `env` must be equal to, such as a `SyncVectorEnv` of the single environments. It is reset
            and stepped with the actions of `env`, and left open.
        steps: Steps of a run; there are seven or eight runs.
        seed: Of most runs.

    Raises:
        VectorEnvError: At the first fault.
    """
    contract = read_contract(env)
    returned = ReturnedCheck(contract)

    def check(before: Call | None, call: Call) -> None:
        returned(call)
        check_autoreset(contract, before, call)

    calls = record(env, contract, steps, [seed], check)
    warn_of_episodes(contract, calls)
    owned = [name for name in RETURNED if contract.copies or name != "observations"]
    _check_kept(calls, owned)
    # A reset right after the end of an episode is like any other, whatever the mode had in store.
    advice = "The same seed and actions gave another result: reset(seed=...) must start all state and randomness anew."
    replay(env, [*until_end(contract, calls), *calls], advice)
    advice = "Only the arrays returned before had been overwritten, which must not matter: return copies."
    replay(env, calls, advice, overwritten=owned)
    if contract.mode is AutoresetMode.NEXT_STEP:
        advice = "Only the actions that NEXT_STEP ignores were others, those right after the end of an episode."
        replay(env, calls, advice, requests=with_other_ignored_actions(contract, calls))
    others = record(env, contract, steps, [seed + contract.num_envs], check)
    later = record(env, contract, steps, [seed, *_UNSEEDED], check)
    _check_seeds(calls, others, later)
    advice = "The same seed and actions gave another result: without a seed, go on with the stream of random numbers."
    replay(env, later, advice)
    _check_seed_list(env, contract, seed)
    if reference is not None:
        _check_equality(contract, calls, reference)
    for change in returned.changes.values():
        warnings.warn(change, stacklevel=2)
    _check_render(env, contract)
    if contract.mode is AutoresetMode.DISABLED:
        warn_of_popped_mask(env, contract)
        warn_of_finished_slots(env, contract, calls)
    _check_close(env)


def _check_kept(calls: Sequence[Call], owned: Sequence[str]) -> None:
    """What a call returned is what it was when it came."""
    for call in calls:
        copy, now = ({name: each[name] for name in owned if name in each} for each in (call.copy, call.returned))
        if found := returned_difference(copy, now):
            raise VectorEnvError(
                f"{call.request.where}: a later call changed what this one returned: {found}. Return copies."
            )


def _check_seeds(calls: Sequence[Call], others: Sequence[Call], later: Sequence[Call]) -> None:
    """Another seed gives something else, unless nothing is random; so does a reset without one."""
    seed, other = calls[0].request.where, others[0].request.where
    start = len(_UNSEEDED)
    repeats = all(same([call], calls[:1]) for call in later[1:start]) and same(later[start:], calls)
    if not same(calls, others):
        if repeats:
            raise VectorEnvError(
                f"{seed} and then reset() gave the same episodes again: without a seed, go on with the stream of "
                "random numbers rather than start it anew."
            )
    elif not repeats:
        warnings.warn(
            f"{seed} and {other} were followed by the same episodes, though those after reset() are others; does the "
            "seed come in?",
            stacklevel=3,
        )


def _check_seed_list(env: VectorEnv[Any, Any, Any], contract: Contract, seed: int) -> None:
    """A list of seeds, which may be refused, decides the slots that have one, also in the resets to come."""
    seeds: Any = [None if slot % 2 else seed + slot for slot in range(contract.num_envs)]
    runs = []
    for _ in range(2):
        try:
            observations = [deepcopy(env.reset(seed=seeds)[0])]
        except Exception:  # The base class takes integers alone.
            return
        observations += [deepcopy(env.reset()[0]) for _ in _UNSEEDED]
        runs.append([per_slot(contract, each) for each in observations])
    for first, second in zip(*runs, strict=True):
        for slot in range(0, contract.num_envs, 2):
            if found := difference(first[slot], second[slot], "the observation", batched=False):
                raise VectorEnvError(
                    f"reset(seed={seeds}), slot {slot}: the second time, {found}. Seed each slot by its entry, or "
                    "refuse lists."
                )


def _check_equality(contract: Contract, calls: Sequence[Call], reference: VectorEnv[Any, Any, Any]) -> None:
    """The reference returns the same."""
    other = read_contract(reference)
    for name in ("num_envs", "mode", "single_observation_space", "single_action_space"):
        if (one := getattr(contract, name)) != (wanted := getattr(other, name)):
            raise VectorEnvError(f"`{name}` is {one}, but that of the reference is {wanted}; make both alike.")
    for call in calls:
        if found := returned_difference(call.request.make(reference), call.copy, TOLERANCE):
            raise VectorEnvError(f"{call.request.where}: {found}, which is what the reference gave.")


def _check_render(env: VectorEnv[Any, Any, Any], contract: Contract) -> None:
    """A frame for each slot."""
    if env.render_mode is None:
        return
    env.reset()
    frames: Any = env.render()
    if env.render_mode == "human":
        return
    if not isinstance(frames, (tuple, list)) or len(frames) != contract.num_envs or any(f is None for f in frames):
        raise VectorEnvError(f"render() gave {frames!r}, expected a tuple of {contract.num_envs} frames.")
    if isinstance(frames, list):
        warnings.warn("render() gave a list of frames, expected a tuple.", stacklevel=3)


def _check_close(env: VectorEnv[Any, Any, Any]) -> None:
    """It can be closed twice."""
    env.close()
    if not env.unwrapped.closed:
        warnings.warn("`closed` is False after close(); implement close_extras() rather than close().", stacklevel=3)
    try:
        env.close()
    except Exception as error:
        raise VectorEnvError(f"The second close() raised {error!r}; let it do nothing.") from error
