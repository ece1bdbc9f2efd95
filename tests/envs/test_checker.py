"""The checker of vector environments: correct ones pass; wrong attributes, frames, close and references are found."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import DictInfoToList, FlattenObservation, RecordEpisodeStatistics

from hs_env.envs.checker import VectorEnvError, check_vector_env
from hs_env.errors import HsEnvError
from tests.envs.builders import Problem
from tests.envs.doubles import (
    EVERY,
    Fault,
    Sampler,
    Walks,
    inform,
    make_sampler,
    put,
    warned,
)

NEXT_STEP, SAME_STEP, DISABLED = AutoresetMode
MODES = pytest.mark.parametrize("mode", AutoresetMode)

POPS = "reset() removed 'reset_mask' from the caller's options, expected it to stay there"
STAYS_OPEN = "`closed` is False after close(), expected True"
NO_END = "No episode ended within"


# Correct environments


@MODES
def test_the_double_is_healthy(mode: AutoresetMode) -> None:
    assert warned(Walks(mode, render_mode="ansi"), Walks(mode), steps=100) == ""


def test_native_cart_pole() -> None:
    env = gymnasium.make_vec("CartPole-v1", num_envs=3, vectorization_mode="vector_entry_point")
    assert warned(env).startswith(STAYS_OPEN)


@MODES
@pytest.mark.parametrize("name", ["CartPole-v1", "Blackjack-v1", "Pendulum-v1"])
def test_sync_environments(mode: AutoresetMode, name: str) -> None:
    make = [lambda: gymnasium.make(name)] * 3
    env, reference = (SyncVectorEnv(make, autoreset_mode=mode) for _ in range(2))
    found = warned(env, reference, steps=60)
    assert (POPS in found) == (mode is DISABLED)
    assert (NO_END in found) == (name == "Pendulum-v1")
    assert reference.closed is False
    assert env.closed is True


@MODES
def test_async_environments(mode: AutoresetMode) -> None:
    env, reference = (kind([make_sampler] * 2, autoreset_mode=mode) for kind in (AsyncVectorEnv, SyncVectorEnv))
    found = warned(env, reference, steps=20)
    assert (POPS in found) == (mode is DISABLED)


@MODES
def test_a_vector_of_our_single_environments(problem: Problem, names: dict[str, Any], mode: AutoresetMode) -> None:
    make = [lambda: problem.single(**names, render_mode="ansi")] * 3
    env, reference = (SyncVectorEnv(make, autoreset_mode=mode) for _ in range(2))
    found = warned(env, reference, steps=30)
    assert found.startswith(POPS) and "\n" not in found if mode is DISABLED else found == ""


INT8 = np.array([0, 1, 1], np.int8)


@pytest.mark.parametrize("mode", [SAME_STEP, DISABLED])
@pytest.mark.parametrize(
    ("observation_space", "action_space", "mask"),
    [
        (
            spaces.Dict(a=spaces.Box(0, 255, (2, 3), np.uint8), b=spaces.Dict(c=spaces.Discrete(4, start=-1))),
            spaces.Dict(x=spaces.Discrete(3), y=spaces.Box(-1, 1, (2,))),
            {"x": INT8, "y": None},
        ),
        (
            spaces.Tuple([spaces.MultiBinary(3), spaces.MultiDiscrete([2, 3])]),
            spaces.MultiDiscrete([2, 3]),
            (INT8[:2], INT8),
        ),
        (spaces.Text(5), spaces.MultiBinary(3), INT8),
        (spaces.Graph(spaces.Box(-1, 1, (2,)), spaces.Discrete(3)), spaces.Discrete(3, start=2), INT8),
        (spaces.Sequence(spaces.Discrete(4)), spaces.Tuple([spaces.Discrete(3)]), (INT8,)),
    ],
)
def test_every_kind_of_space(mode: AutoresetMode, observation_space: Any, action_space: Any, mask: Any) -> None:
    env = SyncVectorEnv([lambda: Sampler(observation_space, action_space, mask)] * 2, autoreset_mode=mode)
    assert warned(env, steps=10).count("\n") == 0


def test_deterministic_environments() -> None:
    class Fixed(Walks):
        def begin(self, mask: Any) -> None:
            self.state[mask], self.done[mask] = (0, 4), False

    assert warned(Fixed()) == ""


def test_environments_that_refuse_lists_of_seeds() -> None:
    class Refusing(Walks):
        def seed_slots(self, seed: Any) -> None:
            super().seed_slots(None if seed is None else operator.index(seed))

    assert warned(Refusing()) == ""


@MODES
def test_observations_without_copies(mode: AutoresetMode) -> None:
    found = warned(SyncVectorEnv([make_sampler] * 2, copy=False, autoreset_mode=mode))
    assert (POPS in found) == (mode is DISABLED)


def test_differing_observation_spaces() -> None:
    boxes = [spaces.Box(low, low + 1, (2,)) for low in range(3)]
    make = [partial(Sampler, box, spaces.Discrete(2), None) for box in boxes]
    assert warned(SyncVectorEnv(make, observation_mode="different", autoreset_mode=SAME_STEP)) == ""


@MODES
def test_wrappers(mode: AutoresetMode) -> None:
    found = warned(RecordEpisodeStatistics(Walks(mode)))  # The wrapper removes the mask, too.
    assert (POPS in found) == (mode is DISABLED)
    single = partial(gymnasium.wrappers.RecordEpisodeStatistics, make_sampler())
    assert (POPS in warned(SyncVectorEnv([single], autoreset_mode=mode))) == (mode is DISABLED)
    if mode is not SAME_STEP:
        assert warned(FlattenObservation(Walks(mode))) == ""
    with pytest.raises(VectorEnvError, match="infos is a list, expected one dict"):
        check_vector_env(DictInfoToList(Walks(mode)), steps=20)


# Attributes


def test_the_error_is_ours_and_an_assertion() -> None:
    assert issubclass(VectorEnvError, HsEnvError)
    assert issubclass(VectorEnvError, AssertionError)


def test_a_single_environment() -> None:
    with pytest.raises(VectorEnvError, match=r"Expected a gymnasium.vector.VectorEnv, got <.*Sampler"):
        check_vector_env(make_sampler())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"num_envs": 0}, "`num_envs` is 0, expected the number of slots; set it to an int above 0"),
        ({"num_envs": None}, "`num_envs` is None"),
        ({"closed": True}, "`closed` is True before the first call, expected False; pass a new environment"),
        ({"single_observation_space": None}, "`single_observation_space` is None, expected a gymnasium.Space; set it"),
        ({"observation_space": spaces.Box(0, 5, (2,))}, "`observation_space` is Box.*with gymnasium.*batch_space"),
        ({"action_space": spaces.Discrete(2)}, r"`action_space` is Discrete\(2\), expected MultiDiscrete"),
        ({"metadata": {}}, r"`metadata\['autoreset_mode'\]` is None, expected a member of gymnasium.*; set it"),
        ({"metadata": {"autoreset_mode": "NextStep"}}, r"`metadata\['autoreset_mode'\]` is 'NextStep'"),
        (
            {"autoreset_mode": SAME_STEP},
            "The attribute `autoreset_mode` is <.*SAME_STEP.*, expected <.*NEXT_STEP.* as in `metadata",
        ),
    ],
)
def test_attributes(attributes: dict[str, Any], message: str) -> None:
    env = Walks()
    for name, value in attributes.items():
        setattr(env, name, value)
    with pytest.raises(VectorEnvError, match=message):
        check_vector_env(env, steps=20)


# Render and close


@pytest.mark.parametrize("frames", [None, "frame", ("a", "b"), ("a", None, "b")])
def test_frames(frames: Any) -> None:
    class Blind(Walks):
        def render(self) -> Any:
            return frames

    with pytest.raises(VectorEnvError, match=r"render\(\) returned .*, expected a tuple of 3 frames; return one per"):
        check_vector_env(Blind(render_mode="ansi"), steps=20)
    assert warned(Blind(render_mode="human")) == ""


def test_a_list_of_frames() -> None:
    class Listing(Walks):
        def render(self) -> Any:
            return list(super().render())

    assert "render() returned a list of frames, expected a tuple; convert it" in warned(Listing(render_mode="ansi"))


def test_closing() -> None:
    class Once(Walks):
        open = True

        def close(self, **how: Any) -> None:
            if not self.open:
                raise RuntimeError("closed already")
            self.open, self.closed = False, True

    class Never(Walks):
        def close(self, **how: Any) -> None:
            pass

    message = r"The second close\(\) raised RuntimeError\('closed already'\), expected it to do nothing"
    with pytest.raises(VectorEnvError, match=message):
        check_vector_env(Once(), steps=20)
    assert warned(Never()).startswith(STAYS_OPEN)


# The reference


@MODES
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            put("rewards", lambda array: array + 1e-4 * (array > 0)),
            r"^step 1: rewards\[slot 0\] is .*, expected .* as in the reference; make both return the same",
        ),
        (put("observations", lambda array: array + np.float32(0.1)), r"^reset\(seed=0\): observations\[slot 0, 0\] is"),
        (
            inform(lambda infos: infos.update(x=np.zeros(3), _x=EVERY)),
            "infos has the keys _action_mask, .*, expected _a",
        ),
        (
            inform(lambda infos: infos.update(position=infos["position"].astype(np.int32))),
            r"infos\['position'\] has .*int64",
        ),
        (
            inform(lambda infos: infos.update(position=infos["position"] + 1)),
            r"infos\['position'\]\[slot 0\] is 0, expec",
        ),
        (put("terminations", lambda array: array & [True, True, False], 2), r"terminations\[slot 2\] is"),
    ],
)
def test_references_that_differ(mode: AutoresetMode, fault: Fault, message: str) -> None:
    with pytest.raises(VectorEnvError, match=message):
        check_vector_env(Walks(mode), Walks(mode, fault=fault), steps=10)


def test_rounding_is_no_difference() -> None:
    reference = Walks(fault=put("rewards", lambda array: array * (1 + 1e-6)))
    assert warned(Walks(), reference) == ""


def test_references_that_cannot_be_compared() -> None:
    with pytest.raises(
        VectorEnvError, match=r"`mode` is AutoresetMode.NEXT_STEP, expected .*SAME_STEP as in the reference"
    ):
        check_vector_env(Walks(), Walks(SAME_STEP), steps=10)
