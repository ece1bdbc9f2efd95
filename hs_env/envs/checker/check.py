"""Run all checks of a vector environment, in order."""

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
"""Relative and absolute tolerance of floats against a reference: batches round differently than single rows."""

_UNSEEDED: Final = (None,) * 4
"""Seeds of four resets without a seed. Four, because one can repeat a start by chance if there are few starts."""


def check_vector_env(
    env: VectorEnv[Any, Any, Any],
    reference: VectorEnv[Any, Any, Any] | None = None,
    *,
    steps: int = 200,
    seed: int = 0,
) -> None:
    """Check that a vector environment keeps Gymnasium's contract in the autoreset mode that it declares.

    | what | what is checked |
    |---|---|
    | attributes | spaces, `num_envs`, `metadata` and `autoreset_mode` agree |
    | returned values | shapes, dtypes and spaces are right, without NaN; each key of infos has a mask and one dtype |
    | action masks | the single action space accepts `infos["action_mask"]`; actions are sampled under it |
    | end of episodes | slots are reset as NEXT_STEP, SAME_STEP or DISABLED promises |
    | memory | returned arrays never change, and writing into them does not affect the environment |
    | seeds | equal seeds repeat episodes, other seeds do not; a reset without a seed continues the random numbers |
    | `render`, `close` | `render` returns one frame per slot; `close` may be called twice |
    | equality | `reference` returns the same: floats to 1e-5, everything else exactly |

    The environment is used up: it is reset and stepped many times, and closed at the end. After an error it is left
    open. Behaviour that may be intended, or that Gymnasium's own environments show, gives a `UserWarning`, no error.

    Two kinds of wrappers cannot pass: those whose statistics survive a reset, such as NormalizeObservation, and those
    that convert infos to lists or arrays to another library. Keys that RecordEpisodeStatistics adds are ignored. Only a
    reference can show that state which the observations hide is reset.

    Args:
        env: Vector environment to check, not closed.
        reference: Vector environment that must return the same, such as a `SyncVectorEnv` of single environments. It is
            reset and stepped with the actions of `env`, and left open.
        steps: Steps per run; there are seven or eight runs.
        seed: Seed of most runs.

    Raises:
        VectorEnvError: If a check fails; the first failure is reported.
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
    # The first part stops where an episode ends, so the reset that follows must drop an autoreset that is still due.
    advice = "Seed and actions were the same as before: make reset(seed=...) restart all state and random numbers."
    replay(env, [*until_end(contract, calls), *calls], advice)
    advice = "Only arrays returned earlier were overwritten, which must not affect the environment: return copies."
    replay(env, calls, advice, overwritten=owned)
    if contract.mode is AutoresetMode.NEXT_STEP:
        advice = "Only actions right after the end of an episode were different: in the mode NEXT_STEP, ignore them."
        replay(env, calls, advice, requests=with_other_ignored_actions(contract, calls))
    others = record(env, contract, steps, [seed + contract.num_envs], check)
    later = record(env, contract, steps, [seed, *_UNSEEDED], check)
    _check_seeds(calls, others, later)
    advice = "Seeds and actions were the same as before: make reset() without a seed continue the random numbers."
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
    """Check that no later call changed what an earlier call returned."""
    for call in calls:
        copy, now = ({name: each[name] for name in owned if name in each} for each in (call.copy, call.returned))
        if found := returned_difference(copy, now):
            raise VectorEnvError(
                f"{call.request.where}: a later call changed what this call returned: {found}. Return copies."
            )


def _check_seeds(calls: Sequence[Call], others: Sequence[Call], later: Sequence[Call]) -> None:
    """Check that another seed, or a reset without one, gives other episodes, unless nothing is random."""
    seed, other = calls[0].request.where, others[0].request.where
    start = len(_UNSEEDED)
    repeats = all(same([call], calls[:1]) for call in later[1:start]) and same(later[start:], calls)
    if not same(calls, others):
        if repeats:
            raise VectorEnvError(
                f"{seed} and then reset() gave the same episodes again, expected other ones: without a seed, continue "
                "the random numbers instead of restarting them."
            )
    elif not repeats:
        warnings.warn(
            f"{seed} and {other} gave the same episodes, expected different ones, as reset() without a seed gave. Use "
            "the seed for all random numbers.",
            stacklevel=3,
        )


def _check_seed_list(env: VectorEnv[Any, Any, Any], contract: Contract, seed: int) -> None:
    """Check that a list of seeds, if accepted, fixes the slots that have a seed, in later resets too."""
    seeds: Any = [None if slot % 2 else seed + slot for slot in range(contract.num_envs)]
    runs = []
    for _ in range(2):
        try:
            observations = [deepcopy(env.reset(seed=seeds)[0])]
        except Exception:  # Lists may be refused: the base class accepts integers only.
            return
        observations += [deepcopy(env.reset()[0]) for _ in _UNSEEDED]
        runs.append([per_slot(contract, each) for each in observations])
    for first, second in zip(*runs, strict=True):
        for slot in range(0, contract.num_envs, 2):
            if found := difference(first[slot], second[slot], "the observation", batched=False):
                raise VectorEnvError(
                    f"reset(seed={seeds}), slot {slot}: at the second call, {found} as at the first. Seed each slot "
                    "with its own entry, or raise an error for lists."
                )


def _check_equality(contract: Contract, calls: Sequence[Call], reference: VectorEnv[Any, Any, Any]) -> None:
    """Check that the reference returns the same."""
    other = read_contract(reference)
    for name in ("num_envs", "mode", "single_observation_space", "single_action_space"):
        if (one := getattr(contract, name)) != (wanted := getattr(other, name)):
            raise VectorEnvError(f"`{name}` is {one}, expected {wanted} as in the reference; make both equal.")
    for call in calls:
        if found := returned_difference(call.request.make(reference), call.copy, TOLERANCE):
            raise VectorEnvError(f"{call.request.where}: {found} as in the reference; make both return the same.")


def _check_render(env: VectorEnv[Any, Any, Any], contract: Contract) -> None:
    """Check that `render` returns one frame per slot."""
    if env.render_mode is None:
        return
    env.reset()
    frames: Any = env.render()
    if env.render_mode == "human":
        return
    if not isinstance(frames, (tuple, list)) or len(frames) != contract.num_envs or any(f is None for f in frames):
        raise VectorEnvError(
            f"render() returned {frames!r}, expected a tuple of {contract.num_envs} frames; return one per slot."
        )
    if isinstance(frames, list):
        warnings.warn("render() returned a list of frames, expected a tuple; convert it.", stacklevel=3)


def _check_close(env: VectorEnv[Any, Any, Any]) -> None:
    """Check that the environment can be closed twice."""
    env.close()
    if not env.unwrapped.closed:
        warnings.warn(
            "`closed` is False after close(), expected True; override close_extras() instead of close().", stacklevel=3
        )
    try:
        env.close()
    except Exception as error:
        raise VectorEnvError(
            f"The second close() raised {error!r}, expected it to do nothing; return if `closed` is True already."
        ) from error
