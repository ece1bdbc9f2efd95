"""The environment of skimming: checkers, native against single environments, infos, rewards and pictures."""

from __future__ import annotations

import re
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import hs_env  # noqa: F401 - registers the environments
from hs_env.envs import check_vector_env
from hs_env.problems.skimming import NEXT, SKIP, STOP

ID = "hs_env/Skimming-v0"
TEXT = {"text": "all in all , this is a truly good film", "label": "positive"}


def test_the_environments_pass_their_checkers() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(ID, split="test", render_mode="rgb_array").unwrapped)
        check_vector_env(gymnasium.make_vec(ID, 3, split="test"))


def test_stable_baselines_finds_no_fault() -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(gymnasium.make(ID, split="test").unwrapped, skip_render_check=True)


def test_an_episode_by_hand() -> None:
    env = gymnasium.make(ID, render_mode="ansi")
    observation, info = env.reset(options=TEXT)
    actions = (SKIP, NEXT, NEXT, NEXT, NEXT, NEXT, NEXT, NEXT, STOP, NEXT)
    free = {0, 4, 5, 6, 7, 8}
    for position, action in enumerate(actions):
        left = 9 - position
        mask = [1, int(left > 0), int(left > 3)] if position in free else [1, 0, 0]
        assert info["action_mask"].tolist() == mask
        width = len(observation) - 50
        assert observation[width:].any() == (position in free)
        observation, reward, terminated, _, info = env.step(action)
    assert terminated
    assert info["read"] == ("all", "this", "is", "a", "truly", "good")
    assert info["num_read"] == 6
    terms = info["reward_terms"]
    assert terms["words_read"] == pytest.approx(-0.15 * 0.6)
    assert reward == pytest.approx(terms["log_likelihood"] + terms["words_read"])
    shown = re.sub(r"\x1b\[[0-9;]*m", "", str(env.render()))
    assert shown.startswith("all ~~in all ,~~ this is a truly good ~~film~~  → ")


def test_native_environments_equal_single_ones() -> None:
    native, draw = gymnasium.make_vec(ID, 3, split="dev", autoreset_mode="SameStep"), np.random.default_rng(0)
    single = gymnasium.make(ID, split="dev")
    _, infos = native.reset(seed=5)
    _, info = single.reset(seed=5)
    for _ in range(60):
        assert infos["action_mask"][0].tolist() == info["action_mask"].tolist()
        assert (infos["index"][0], infos["position"][0]) == (info["index"], info["position"])
        actions = draw.integers(0, 3, 3)
        observations, rewards, ended, _, infos = native.step(actions)
        observation, reward, terminated, _, info = single.step(actions[0])
        assert ended[0] == terminated
        assert rewards[0] == pytest.approx(reward, abs=1e-5)
        if terminated:
            assert infos["final_info"]["read"][0] == info["read"]
            _, info = single.reset()
        else:
            np.testing.assert_allclose(observations[0], observation, atol=1e-5)
