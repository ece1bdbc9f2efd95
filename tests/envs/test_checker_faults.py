"""The checker finds faults in vector environments: values, ends of episodes, memory, seeds."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from hs_env.envs.checker import VectorEnvError, check_vector_env
from tests.envs.doubles import (
    EVERY,
    Fault,
    Returned,
    Sampler,
    Walks,
    flag_all,
    inform,
    put,
    slot_one,
    warned,
)

NEXT_STEP, SAME_STEP, DISABLED = AutoresetMode
MODES = pytest.mark.parametrize("mode", AutoresetMode)

POPS = "reset() removed 'reset_mask' from the caller's options, expected it to stay there"
NAN = np.full(3, np.nan)


# Returned values


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        # The tuple
        (
            lambda env, returned: returned.pop("infos"),
            r"^reset\(seed=0\): expected a tuple of observations, infos, in this order; return exactly these\. Got",
        ),
        (
            lambda env, returned: returned.pop("rewards", 0),
            r"^step 1: expected a tuple of observations, rewards.*; return exactly these\. Got \(arr",
        ),
        (put("infos", lambda infos: [infos]), "infos is a list, expected one dict of arrays; remove wrappers"),
        # Observations
        (
            put("observations", lambda array: array.astype(float), 3),
            r"^step 3: observations has .* float64, expected .*32",
        ),
        (put("observations", lambda array: array[:2]), r"has shape \(2, 2\) .*, expected an array of shape \(3, 2\)"),
        (put("observations", lambda array: array.tolist()), "observations is list .*, expected an array"),
        (
            put("observations", slot_one(6.0), 3),
            r"^step 3, slot 1: the observation is \[6. 6.\], expected a value of the single .*; correct the values or",
        ),
        (put("observations", slot_one(np.nan)), "slot 1: the observation is .* contains NaN, expected .*; correct"),
        # Rewards and flags
        (put("rewards", lambda array: array.astype(int)), r"^step 1: rewards has .* int64, expected .* dtype float"),
        (
            put("rewards", lambda array: array[:, None]),
            r"rewards has shape \(3, 1\) .*, expected an array of shape \(3,\) .*; return one float per slot",
        ),
        (put("rewards", lambda array: array.tolist()), "rewards is list"),
        (put("rewards", slot_one(np.nan), 5), r"^step 6: rewards\[slot 1\] is NaN, expected a number; correct"),
        (put("terminations", lambda array: array.astype(np.int8)), "terminations has .* int8, expected .* dtype bool"),
        (put("truncations", lambda array: False), "truncations is bool False"),
        # Infos
        (inform(lambda infos: infos.update({3: 4})), "infos has the key 3, expected strings as keys; rename it"),
        (
            inform(lambda infos: infos.update(_other=EVERY)),
            "infos has '_other' without 'other', expected a leading .*; rename it, or add 'other'",
        ),
        (inform(lambda infos: infos.pop("_position")), "infos has no '_position', expected a bool array .*; add it"),
        (inform(lambda infos: infos.update(_position=[True] * 3)), r"infos\['_position'\] is list"),
        (inform(lambda infos: infos.update(_position=EVERY.astype(int))), r"infos\['_position'\] has .* int64"),
        (
            inform(lambda infos: infos.update(_position=EVERY[:2])),
            r"infos\['_position'\] has shape \(2,\).*; return one",
        ),
        (inform(lambda infos: infos.update(position=[1, 2, 3])), r"infos\['position'\] is list \[1, 2, 3\], expected"),
        (inform(lambda infos: infos.update(position=np.zeros(2))), r"infos\['position'\] has shape \(2,\).* length 3"),
        (
            inform(lambda infos: infos.update(x=NAN, _x=~EVERY | [False, True, False])),
            r"infos\['x'\]\[slot 1\] contains NaN, expected a number; if .*, set its entry in '_x' to False",
        ),
        (
            inform(lambda infos: infos.update(y=np.array([(1.0,), [np.nan], None], object), _y=EVERY)),
            r"infos\['y'\]\[slot 1\] contains NaN, expected a number",
        ),
        (inform(lambda infos: infos.get("terms", {}).pop("_score", 0)), r"infos\['terms'\] has no '_score'"),
        (
            inform(lambda infos: infos.update(action_mask=np.ones((3, 3), np.int8))),
            r"slot 0: .* expected shape .* \(2,\)",
        ),
        (
            inform(lambda infos: infos.update(action_mask=infos["action_mask"] == 1)),
            r"Discrete\(2\)\.sample\(\) rejected the last infos\['action_mask'\], array.*; return masks that",
        ),
    ],
)
def test_returned_values(fault: Fault, message: str) -> None:
    with pytest.raises(VectorEnvError, match=message):
        check_vector_env(Walks(fault=fault), steps=20)


@pytest.mark.parametrize(
    ("space", "change", "message"),
    [
        (spaces.Dict(a=spaces.Discrete(2)), lambda value: {}, r"observations is \[\], expected a dict with .* \['a'\]"),
        (
            spaces.Dict(a=spaces.Discrete(2)),
            lambda value: {"a": value["a"].astype(np.int8)},
            r"observations\['a'\] has .* int8",
        ),
        (spaces.Tuple([spaces.Discrete(2)]), list, "observations is list .* expected a tuple of 1"),
        (spaces.Tuple([spaces.Discrete(2)]), lambda value: (value[0][:1],), r"observations\[0\] has shape \(1,\)"),
        (
            spaces.Text(3),
            lambda value: ("a", 3),
            "slot 1: the observation is 3, expected a value of the single observation space Text",
        ),
    ],
)
def test_nested_observations(space: spaces.Space[Any], change: Callable[[Any], Any], message: str) -> None:
    env = SyncVectorEnv([partial(Sampler, space, spaces.Discrete(2), None)] * 2)
    whole = env.reset
    env.reset = lambda **how: (change(whole(**how)[0]), {})  # type: ignore[method-assign]
    with pytest.raises(VectorEnvError, match=message):
        check_vector_env(env, steps=20)


def test_observations_out_of_differing_spaces() -> None:
    boxes = [spaces.Box(low, low + 1, (2,)) for low in range(2)]
    make = [partial(Sampler, box, spaces.Discrete(2), None) for box in boxes]
    env = SyncVectorEnv(make, observation_mode="different")
    env.envs.reverse()
    with pytest.raises(VectorEnvError, match=r"observations are outside their space, expected values of the .*Box"):
        check_vector_env(env, steps=20)


@pytest.mark.parametrize(
    ("change", "kind"),
    [(lambda array: array.astype(float), "float64"), (lambda array: {"x": array, "_x": EVERY}, "dict")],
)
def test_dtypes_that_change(change: Callable[[Any], Any], kind: str) -> None:
    def fault(env: Walks, returned: Returned) -> None:
        if "rewards" in returned:
            returned["infos"]["position"] = change(returned["infos"]["position"])

    found = warned(Walks(fault=fault))
    assert found.startswith(f"step 1: infos['position'] is now {kind}, expected int64 as before; always use the same")
    assert found.count("\n") == 0


# The end of an episode


@pytest.mark.parametrize(
    ("mode", "fault", "message"),
    [
        (
            NEXT_STEP,
            put("rewards", lambda array: array + 1),
            r"^step \d+, slot \d: rewards is 1.0, expected 0.0: the episode ended in .* only reset the slot",
        ),
        (
            NEXT_STEP,
            flag_all("truncations"),
            "^step 2, slot .: truncations is True, expected False",
        ),
        (NEXT_STEP, flag_all("terminations"), "^step 2, slot .: terminations is True"),
        (
            DISABLED,
            inform(lambda infos: infos.update(final_obs=np.full(3, None), _final_obs=EVERY)),
            "infos has 'final_obs', expected no such key: the declared .* is AutoresetMode.DISABLED.* Remove the",
        ),
        (
            SAME_STEP,
            inform(lambda infos: [infos.pop(key, 0) for key in ("final_obs", "_final_obs")]),
            "no entry 'final_obs'",
        ),
        (
            SAME_STEP,
            inform(lambda infos: [infos.pop(key, 0) for key in ("final_info", "_final_info")]),
            "no entry 'final_in",
        ),
        (
            SAME_STEP,
            inform(lambda infos: "final_obs" in infos and infos.update(_final_obs=EVERY)),
            "an entry 'final_obs', but the episode continues.*: set 'final_obs', and True in its mask",
        ),
        (
            SAME_STEP,
            inform(lambda infos: "final_obs" in infos and slot_one(np.full(2, 9.0))(infos["final_obs"])),
            r"slot 1: infos\['final_obs'\] is array\(\[9., 9.\]\), expected a value of the single observation space",
        ),
        (
            SAME_STEP,
            inform(lambda infos: "final_info" in infos and infos.update(final_info=np.full(3, None))),
            r"infos\['final_info'\] is a ndarray, expected a dict of arrays and masks, like infos; build it as",
        ),
    ],
)
def test_autoreset(mode: AutoresetMode, fault: Fault, message: str) -> None:
    with pytest.raises(VectorEnvError, match=message):
        check_vector_env(Walks(mode, fault=fault), steps=20)


def test_an_action_that_should_be_ignored() -> None:
    class Eager(Walks):
        def step(self, actions: Any) -> Any:
            ended = self.done.copy()
            observations, *others = super().step(actions)
            observations[ended, 0] += actions[ended]
            return observations, *others

    with pytest.raises(
        VectorEnvError, match=r"Only actions right after the end of an episode were different: .* ignore"
    ):
        check_vector_env(Eager(), steps=20)


def test_a_reset_that_forgets_what_was_to_be_reset() -> None:
    class Pending(Walks):
        def begin(self, mask: Any) -> None:
            done = self.done.copy()
            super().begin(mask)
            self.done = done & mask.all() if self.fresh else self.done
            self.fresh = False

        def reset(self, **how: Any) -> Any:
            self.fresh = True
            return super().reset(**how)

    message = r"^step 1: .* make reset\(seed=...\) restart all state and random numbers"
    with pytest.raises(VectorEnvError, match=message):
        check_vector_env(Pending(), steps=20)


def test_a_partial_reset_of_more_than_the_mask() -> None:
    class Whole(Walks):
        def begin(self, mask: Any) -> None:
            super().begin(mask | mask.any())

    with pytest.raises(
        VectorEnvError,
        match=r"^reset of the finished slots after step \d+, slot \d: the observation.* is .*, expected .* leave it",
    ):
        check_vector_env(Whole(DISABLED), steps=20)


def test_a_partial_reset_that_informs_about_others() -> None:
    class Talkative(Walks):
        def infos(self, mask: Any) -> dict[str, Any]:
            return super().infos(mask | True)

    with pytest.raises(
        VectorEnvError, match=r"slot \d: infos\['_action_mask'\] is True, expected False.* no infos for"
    ):
        check_vector_env(Talkative(DISABLED), steps=20)


@MODES
def test_slots_that_are_not_reset(mode: AutoresetMode) -> None:
    class Stuck(Walks):
        def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
            self.starts = options is None
            return super().reset(seed=seed, options=options)

        def begin(self, mask: Any) -> None:
            if self.starts:
                super().begin(mask)
            self.starts, self.done[mask] = False, False

        def step(self, actions: Any) -> Any:
            ended = self.done & (mode is NEXT_STEP)
            returned = super().step(actions)
            for array in (*returned[1:4], self.done):
                array[ended] = 0
            return returned

    found = warned(Stuck(mode), steps=9)
    assert re.search(r"Each of the \d+ episodes that ended was followed by its last observation again, expected", found)


def test_no_end_in_sight() -> None:
    assert "No episode ended within 1 steps, expected at least one" in warned(Walks(), steps=1)


def test_a_mask_taken_out_of_the_options() -> None:
    class Popping(Walks):
        def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
            return super().reset(seed=seed, options=options and {"reset_mask": options.pop("reset_mask")})

    assert warned(Popping(DISABLED)).startswith(POPS)


def test_finished_slots_that_go_on() -> None:
    class Restarting(Walks):
        def step(self, actions: Any) -> Any:
            self.begin(self.done)
            return super().step(actions)

    found = warned(Restarting(DISABLED))
    assert re.search(r"Slot \d ended at step \d+ and continued when .* without a reset, expected an error", found)


# Memory


@MODES
@pytest.mark.parametrize("name", ["observations", "rewards", "infos"])
def test_memory_that_is_used_again(mode: AutoresetMode, name: str) -> None:
    memory: dict[str, Any] = {}

    def fault(env: Walks, returned: Returned) -> None:
        array = returned["infos"]["position"] if name == "infos" else returned.get(name)
        if array is not None:
            buffer = memory.setdefault(name, np.empty_like(array))
            buffer[...] = array
            if name == "infos":
                returned["infos"]["position"] = buffer
            else:
                returned[name] = buffer

    with pytest.raises(
        VectorEnvError, match=f"^.*: a later call changed what this call returned: {name}.*Return copies"
    ):
        check_vector_env(Walks(mode, fault=fault), steps=20)


@MODES
@pytest.mark.parametrize("name", ["observations", "terminations", "infos"])
def test_memory_that_the_environment_depends_on(mode: AutoresetMode, name: str) -> None:
    class Dependent(Walks):
        last: Any = None

        def step(self, actions: Any) -> Any:
            if self.last is not None:
                self.state = np.clip(self.state + (self.last.ravel()[0] > 70), 0, 5)
                self.last = None if name != "terminations" else self.last
            if name == "terminations" and self.last is not None:
                self.state[:, 1] = np.where(self.last == self.before, self.state[:, 1], 5)
            return super().step(actions)

    def fault(env: Any, returned: Returned) -> None:
        if name in returned:
            env.last = returned["infos"]["position"] if name == "infos" else returned[name]
            env.before = env.last.copy()

    with pytest.raises(VectorEnvError, match="Only arrays returned earlier were overwritten"):
        check_vector_env(Dependent(mode, fault=fault), steps=20)


def test_last_observations_that_the_environment_depends_on() -> None:
    last: list[Any] = []

    def fault(env: Walks, returned: Returned) -> None:
        if any(array[0] > 70 for array in last):
            returned["observations"][...] = 0
        last[:] = [array for array in returned["infos"].get("final_obs", ()) if array is not None]

    with pytest.raises(VectorEnvError, match="Only arrays returned earlier were overwritten"):
        check_vector_env(Walks(SAME_STEP, fault=fault), steps=20)


# Seeds


def test_randomness_without_a_seed() -> None:
    generator = np.random.default_rng()
    with pytest.raises(VectorEnvError, match=r"rewards\[slot 0\] is .* expected .* make reset\(seed=...\) restart all"):
        check_vector_env(Walks(SAME_STEP, fault=put("rewards", lambda array: array + generator.random(3))), steps=20)


def test_a_reset_that_seeds_anew() -> None:
    class Anew(Walks):
        def seed_slots(self, seed: Any) -> None:
            if seed is None:
                self.generators = [np.random.default_rng() for _ in self.generators]
            super().seed_slots(seed)

    with pytest.raises(VectorEnvError, match=r"make reset\(\) without a seed continue the random numbers"):
        check_vector_env(Anew(), steps=20)


def test_a_reset_that_repeats_the_seed() -> None:
    class Repeating(Walks):
        last = None

        def seed_slots(self, seed: Any) -> None:
            self.last = self.last if seed is None else seed
            super().seed_slots(self.last)

    message = r"reset\(seed=0\) and then reset\(\) gave the same episodes again, expected other ones: .*, continue"
    with pytest.raises(VectorEnvError, match=message):
        check_vector_env(Repeating(SAME_STEP), steps=20)


def test_a_seed_that_does_not_come_in() -> None:
    class Constant(Walks):
        def seed_slots(self, seed: Any) -> None:
            super().seed_slots(seed and 7 if seed is None else 7)

    found = warned(Constant())
    assert re.search(
        r"reset\(seed=0\) and reset\(seed=3\) gave the same episodes, expected different .* Use the", found
    )


def test_a_list_of_seeds_that_is_half_used() -> None:
    class Half(Walks):
        def seed_slots(self, seed: Any) -> None:
            super().seed_slots([seed[0], None, None] if isinstance(seed, list) else seed)

    message = r"reset\(seed=\[5, None, 7\]\), slot 2: at the second call, the observation.* as at the first"
    with pytest.raises(VectorEnvError, match=message):
        check_vector_env(Half(), seed=5, steps=20)
