"""Composition: masks, trees in infos and pictures, checkers, native against single environments."""

from __future__ import annotations

import re
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from hs_env.envs import check_vector_env
from hs_env.envs.single import EncoderEnv
from tests.envs.builders import TEXT, TREES, Problem, read

SHIFT, REDUCE, REDUCE_TWICE = range(3)


@pytest.fixture
def problem() -> Problem:
    return TREES


def test_gymnasium_finds_no_fault(problem: Problem, names: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(problem.id, **names, render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize(
    ("mode", "more"),
    [
        (AutoresetMode.NEXT_STEP, {}),
        (AutoresetMode.SAME_STEP, {"shaping": True}),
        (AutoresetMode.DISABLED, {"render_mode": "ansi"}),
    ],
)
def test_native_equals_a_vector_of_single_ones(
    problem: Problem, names: dict[str, Any], mode: AutoresetMode, more: dict[str, Any]
) -> None:
    native = gymnasium.make_vec(problem.id, 3, autoreset_mode=mode, **names, **more)
    sync = SyncVectorEnv([lambda: problem.single(**names, **more)] * 3, autoreset_mode=mode)
    assert type(native) is problem.vector
    check_vector_env(native, sync, steps=60)


def test_masks(env: EncoderEnv) -> None:
    """No more nodes than the words left can reduce, and one node after the last word."""
    _, info = env.reset(options=TEXT)
    masks = [info["action_mask"].tolist()]
    for action in (SHIFT, SHIFT, SHIFT, REDUCE, REDUCE_TWICE, REDUCE_TWICE):
        info = env.step(action)[-1]
        masks.append(info["action_mask"].tolist())
    assert masks[:-1] == [[1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 1, 1], [0, 0, 1], [0, 0, 1]]
    assert masks[-1] == [1, 1, 1]


def test_infos(env: EncoderEnv) -> None:
    _, info = read(env, [SHIFT, REDUCE, SHIFT, REDUCE, REDUCE, REDUCE_TWICE], **TEXT)
    assert info["constituents"] == (
        "the movie",
        "is not",
        "is not very",
        "is not very good",
        "the movie is not very good",
    )
    assert info["num_constituents"] == 5
    assert read(env, [REDUCE], text="good")[1]["constituents"] == ()


def test_illegal_actions_are_replaced(env: EncoderEnv) -> None:
    """Twice at each word is as near as possible to that: once, but for the first word."""
    asked, taken = (read(env, actions, **TEXT) for actions in ([REDUCE_TWICE] * 6, [SHIFT] + [REDUCE] * 5))
    assert asked[0] == taken[0]
    np.testing.assert_array_equal(asked[1]["log_probs"], taken[1]["log_probs"])


def test_render_as_text(problem: Problem, names: dict[str, Any]) -> None:
    env = problem.single(**names, render_mode="ansi")
    env.reset(options={**TEXT, "label": "negative"})
    drawn = []
    for action in (SHIFT, REDUCE, SHIFT, REDUCE, REDUCE, REDUCE_TWICE):
        env.step(action)
        drawn.append(re.sub(r"\x1b\[[0-9;]*m", "", str(env.render())))
    assert drawn[0] == "the  · movie is not very good"
    assert drawn[3] == "(the movie) (is not)  · very good"
    assert drawn[5].startswith("((the movie) (((is not) very) good))  → ")


def test_it_works_without_arguments() -> None:
    env = gymnasium.make(TREES.id)
    _, info = env.reset(seed=0, options={"text": "[MAX 2 9 [MIN 4 7 ] 0 ]", "label": "9"})
    for action in (0, 1, 1, 0, 1, 1, 2, 1, 1):
        *_, info = env.step(action)
    assert info["correct"]
    assert info["constituents"][-1] == "[MAX 2 9 [MIN 4 7 ] 0 ]"
