"""What happens when an episode ends, in each mode of `gymnasium.vector.AutoresetMode`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from hs_env.envs.checker.contract import Contract, VectorEnvError
from hs_env.envs.checker.rollout import Call, Request, ended, per_slot, until_end
from hs_env.envs.checker.values import difference


def check_autoreset(contract: Contract, before: Call | None, call: Call) -> None:
    """Check a call against the declared mode.

    Args:
        contract: Says the mode.
        before: The call before it.
        call: The call.

    Raises:
        VectorEnvError: It is not what the mode promises.
    """
    if contract.mode is AutoresetMode.SAME_STEP:
        _check_final(contract, call)
    elif "final_obs" in call.copy["infos"]:
        raise VectorEnvError(
            f"{call.request.where}: infos has 'final_obs', but the declared autoreset mode is {contract.mode}, which "
            "returns the last observation of an episode as observation; declare SAME_STEP or leave it out."
        )
    if contract.mode is AutoresetMode.NEXT_STEP and before is not None and call.request.actions is not None:
        _check_next_step(ended(contract, before), call)
    if call.request.mask is not None and before is not None:
        _check_partial_reset(contract, before, call)


def _check_next_step(reset: Any, call: Call) -> None:
    for name, expected in (("rewards", 0.0), ("terminations", False), ("truncations", False)):
        for slot in np.flatnonzero(reset & (call.copy[name] != expected)):
            raise VectorEnvError(
                f"{call.request.where}, slot {slot}: {name} is {call.copy[name][slot]}, expected {expected}: the "
                "episode ended one step ago, so in the mode NEXT_STEP this step only resets."
            )


def _check_final(contract: Contract, call: Call) -> None:
    done, infos = ended(contract, call), call.copy["infos"]
    for key in ("final_obs", "final_info"):
        mask = infos.get(f"_{key}", np.zeros(contract.num_envs, np.bool_))
        for slot in np.flatnonzero(mask != done):
            came, state = ("an", "goes on") if mask[slot] else ("no", "has ended")
            raise VectorEnvError(
                f"{call.request.where}, slot {slot}: infos has {came} entry '{key}', but the episode {state}; in the "
                "mode SAME_STEP it has one, and True in its mask, exactly where an episode ended."
            )
    if not done.any():
        return
    for key, kind in (("final_obs", np.ndarray), ("final_info", Mapping)):
        if not isinstance(infos[key], kind):
            raise VectorEnvError(
                f"{call.request.where}: infos[{key!r}] is a {type(infos[key]).__name__}, expected final_obs as an "
                "array of objects, None where no episode ended, and final_info as a dict with masks like infos."
            )
    for slot in np.flatnonzero(done):
        final = infos["final_obs"][slot]
        if contract.uniform and final not in contract.single_observation_space:
            raise VectorEnvError(
                f"{call.request.where}, slot {slot}: infos['final_obs'] is {final!r}, which is not in the single "
                f"observation space {contract.single_observation_space}; give the last observation of the episode."
            )


def _check_partial_reset(contract: Contract, before: Call, call: Call) -> None:
    kept = ~np.asarray(call.request.mask)
    last, now = (per_slot(contract, each.copy["observations"]) for each in (before, call))
    for slot in np.flatnonzero(kept):
        if found := difference(last[slot], now[slot], "the observation", batched=False):
            raise VectorEnvError(
                f"{call.request.where}, slot {slot}: {found}; its reset_mask is False, so leave it as it is."
            )
    for key, value in call.copy["infos"].items():
        if key.startswith("_"):
            for slot in np.flatnonzero(kept & value):
                raise VectorEnvError(
                    f"{call.request.where}, slot {slot}: infos[{key!r}] is True, expected False: its reset_mask is "
                    "False, so there is nothing new to say about it."
                )


def warn_of_episodes(contract: Contract, calls: Sequence[Call]) -> None:
    """Warn if no episode ended, or all of them seem to go on from their last observation."""
    ends = [(last, first) for before, call in pairwise(calls) for last, first in _ends(contract, before, call)]
    if not any(ended(contract, call).any() for call in calls):
        warnings.warn(
            f"No episode ended within {len(calls) - 1} steps, so what happens then was not checked; give more steps.",
            stacklevel=3,
        )
    elif ends and not any(difference(*end, "") for end in ends) and _vary(calls):
        warnings.warn(
            f"Each of {len(ends)} episodes that ended was followed by its last observation once more, expected the "
            "first one of a new episode; are finished slots reset?",
            stacklevel=3,
        )


def _ends(contract: Contract, before: Call, call: Call) -> list[tuple[Any, Any]]:
    """The last observation of each episode that ended and the first one of the next."""
    here = per_slot(contract, call.copy["observations"])
    if contract.mode is AutoresetMode.SAME_STEP:
        return [(call.copy["infos"]["final_obs"][slot], here[slot]) for slot in np.flatnonzero(ended(contract, call))]
    last = per_slot(contract, before.copy["observations"])
    return [(last[slot], here[slot]) for slot in np.flatnonzero(ended(contract, before))]


def _vary(calls: Sequence[Call]) -> bool:
    first = calls[0].copy["observations"]
    return any(difference(first, call.copy["observations"], "") for call in calls)


def with_other_ignored_actions(contract: Contract, calls: Sequence[Call]) -> list[Request]:
    """The requests of `calls`, with other actions where NEXT_STEP ignores them."""
    space = deepcopy(contract.single_action_space)
    space.seed(1)
    requests = [calls[0].request]
    for before, call in pairwise(calls):
        actions = call.request.actions
        if actions is not None:
            ignored = ended(contract, before)
            actions = tuple(_other(space, action) if ignored[slot] else action for slot, action in enumerate(actions))
        requests.append(replace(call.request, actions=actions))
    return requests


def _other(space: Any, action: Any) -> Any:
    """Another action of the space, or the same one if there seems to be no other."""
    draws = (space.sample() for _ in range(20))
    return next((draw for draw in draws if difference(action, draw, "")), action)


def warn_of_popped_mask(env: VectorEnv[Any, Any, Any], contract: Contract) -> None:
    """Warn if `reset` takes the mask out of the caller's options, as Gymnasium's own vector environments do."""
    options = {"reset_mask": np.ones(contract.num_envs, np.bool_)}
    env.reset(options=options)
    if "reset_mask" not in options:
        warnings.warn(
            "reset() took 'reset_mask' out of the caller's options. Wrappers such as RecordEpisodeStatistics look for "
            "it afterwards and, without it, forget the running episodes of all slots; read it and leave it there.",
            stacklevel=3,
        )


def warn_of_finished_slots(env: VectorEnv[Any, Any, Any], contract: Contract, calls: Sequence[Call]) -> None:
    """Warn if a finished slot that is stepped without a reset, in the mode DISABLED, goes on as if nothing was.

    Raising is right, so that this may leave the environment unusable.
    """
    if not (episode := until_end(contract, calls)):
        return
    for call in episode:
        call.request.make(env)
    last = episode[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            returned = replace(last.request, where="a step too many").make(env)
        except Exception:
            return
    running = ended(contract, last) & ~(returned["terminations"] | returned["truncations"])
    for slot in np.flatnonzero(running)[:1]:
        warnings.warn(
            f"Slot {slot} ended at {last.request.where} and, stepped without a reset, went on without a word. In the "
            "mode DISABLED nothing resets by itself: refuse to step a finished slot, or declare the mode it resets in.",
            stacklevel=3,
        )
