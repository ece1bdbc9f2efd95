"""The environment of phrase modules: its checkers, and that the default classifier and corpus fit."""

from __future__ import annotations

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env

import hs_env  # noqa: F401 - registers the environments
from hs_env.envs import check_vector_env

ID = "hs_env/PhraseModules-v0"


def test_the_environments_pass_their_checkers() -> None:
    check_env(gymnasium.make(ID, split="test", render_mode="ansi").unwrapped, skip_render_check=True)
    envs = gymnasium.make_vec(ID, 3, split="test")
    check_vector_env(envs)
    assert envs.single_action_space == gymnasium.spaces.Discrete(5)


def test_an_episode_by_hand() -> None:
    """Denial by a module turns the prediction around; the same words asserted do not."""
    env = gymnasium.make(ID, render_mode="ansi")
    text = {"text": "is good far from it", "label": "negative"}
    earned = {}
    for module, name in ((1, "ASSERT"), (2, "NEGATE")):
        _, info = env.reset(seed=0, options=text)
        for position, action in enumerate((0, 1, 0, 0, module)):
            assert info["action_mask"].tolist() == [int(position < 4), 1, 1, 1, 1]
            _, reward, terminated, _, info = env.step(action)
        assert terminated
        assert info["phrases"] == ("is good", "far from it")
        assert f"[far from it: {name}]" in str(env.render())
        earned[name] = reward
    assert earned["NEGATE"] > earned["ASSERT"] + 1
    assert info["correct"]
    assert np.isfinite(list(earned.values())).all()
