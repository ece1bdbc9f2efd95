"""Check what happens when an episode ends, in each `gymnasium.vector.AutoresetMode`."""

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
    """Check a call against the declared autoreset mode.

    Args:
        contract: Attributes of the environment, among them the mode.
        before: Previous call; None for the first one.
        call: Call to check.

    Raises:
        VectorEnvError: If the call breaks what the mode promises.
    """
    if contract.mode is AutoresetMode.SAME_STEP:
        _check_final(contract, call)
    elif "final_obs" in call.copy["infos"]:
        raise VectorEnvError(
            f"{call.request.where}: infos has 'final_obs', expected no such key: the declared autoreset mode is "
            f"{contract.mode}, which returns the last observation of an episode as the observation. Remove the key, or "
            "declare SAME_STEP."
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
                "episode ended in the previous step. In the mode NEXT_STEP, only reset the slot in this step."
            )


def _check_final(contract: Contract, call: Call) -> None:
    done, infos = ended(contract, call), call.copy["infos"]
    for key in ("final_obs", "final_info"):
        mask = infos.get(f"_{key}", np.zeros(contract.num_envs, np.bool_))
        for slot in np.flatnonzero(mask != done):
            came, state = ("an", "continues") if mask[slot] else ("no", "has ended")
            raise VectorEnvError(
                f"{call.request.where}, slot {slot}: infos has {came} entry '{key}', but the episode {state}. In the "
                f"mode SAME_STEP, an entry is expected exactly where an episode ended: set '{key}', and True in its "
                "mask, there and nowhere else."
            )
    if not done.any():
        return
    for key, kind, expected in (
        ("final_obs", np.ndarray, "an array of objects, None where no episode ended"),
        ("final_info", Mapping, "a dict of arrays and masks, like infos"),
    ):
        if not isinstance(infos[key], kind):
            raise VectorEnvError(
                f"{call.request.where}: infos[{key!r}] is a {type(infos[key]).__name__}, expected {expected}; build it "
                "as gymnasium.vector.SyncVectorEnv does."
            )
    for slot in np.flatnonzero(done):
        final = infos["final_obs"][slot]
        if contract.uniform and final not in contract.single_observation_space:
            raise VectorEnvError(
                f"{call.request.where}, slot {slot}: infos['final_obs'] is {final!r}, expected a value of the single "
                f"observation space {contract.single_observation_space}; return the last observation of the episode."
            )


def _check_partial_reset(contract: Contract, before: Call, call: Call) -> None:
    kept = ~np.asarray(call.request.mask)
    last, now = (per_slot(contract, each.copy["observations"]) for each in (before, call))
    for slot in np.flatnonzero(kept):
        if found := difference(last[slot], now[slot], "the observation", batched=False):
            raise VectorEnvError(
                f"{call.request.where}, slot {slot}: {found}. The slot's reset_mask is False: leave it unchanged."
            )
    for key, value in call.copy["infos"].items():
        if key.startswith("_"):
            for slot in np.flatnonzero(kept & value):
                raise VectorEnvError(
                    f"{call.request.where}, slot {slot}: infos[{key!r}] is True, expected False. The slot's reset_mask "
                    "is False: return no infos for it."
                )


def warn_of_episodes(contract: Contract, calls: Sequence[Call]) -> None:
    """Warn if no episode ended, or if each one was followed by its own last observation."""
    ends = [(last, first) for before, call in pairwise(calls) for last, first in _ends(contract, before, call)]
    if not any(ended(contract, call).any() for call in calls):
        warnings.warn(
            f"No episode ended within {len(calls) - 1} steps, expected at least one, so the end of episodes was not "
            "checked; pass more steps.",
            stacklevel=3,
        )
    elif ends and not any(difference(*end, "") for end in ends) and _vary(calls):
        warnings.warn(
            f"Each of the {len(ends)} episodes that ended was followed by its last observation again, expected the "
            "first observation of a new episode; reset finished slots.",
            stacklevel=3,
        )


def _ends(contract: Contract, before: Call, call: Call) -> list[tuple[Any, Any]]:
    """Pair the last observation of each episode that ended with the first observation of the next episode."""
    here = per_slot(contract, call.copy["observations"])
    if contract.mode is AutoresetMode.SAME_STEP:
        return [(call.copy["infos"]["final_obs"][slot], here[slot]) for slot in np.flatnonzero(ended(contract, call))]
    last = per_slot(contract, before.copy["observations"])
    return [(last[slot], here[slot]) for slot in np.flatnonzero(ended(contract, before))]


def _vary(calls: Sequence[Call]) -> bool:
    first = calls[0].copy["observations"]
    return any(difference(first, call.copy["observations"], "") for call in calls)


def with_other_ignored_actions(contract: Contract, calls: Sequence[Call]) -> list[Request]:
    """Return the requests of `calls`, with different actions where NEXT_STEP ignores them."""
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
    """Return a different action of the space, or the same one if 20 draws find no other."""
    draws = (space.sample() for _ in range(20))
    return next((draw for draw in draws if difference(action, draw, "")), action)


def warn_of_popped_mask(env: VectorEnv[Any, Any, Any], contract: Contract) -> None:
    """Warn if `reset` removes the mask from the caller's options, as Gymnasium's own vector environments do."""
    options = {"reset_mask": np.ones(contract.num_envs, np.bool_)}
    env.reset(options=options)
    if "reset_mask" not in options:
        warnings.warn(
            "reset() removed 'reset_mask' from the caller's options, expected it to stay there. Read it without "
            "removing it: wrappers such as RecordEpisodeStatistics look it up afterwards. Without it they drop the "
            "running episodes of all slots.",
            stacklevel=3,
        )


def warn_of_finished_slots(env: VectorEnv[Any, Any, Any], contract: Contract, calls: Sequence[Call]) -> None:
    """Warn if, in the mode DISABLED, a finished slot can be stepped without a reset.

    The right reaction is to raise an error, so the environment may be unusable after this check.
    """
    if not (episode := until_end(contract, calls)):
        return
    for call in episode:
        call.request.make(env)
    last = episode[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            returned = replace(last.request, where="one step too many").make(env)
        except Exception:
            return
    running = ended(contract, last) & ~(returned["terminations"] | returned["truncations"])
    for slot in np.flatnonzero(running)[:1]:
        warnings.warn(
            f"Slot {slot} ended at {last.request.where} and continued when it was stepped without a reset, expected an "
            "error. In the mode DISABLED, raise one for finished slots; if slots reset by themselves, declare that "
            "mode.",
            stacklevel=3,
        )
