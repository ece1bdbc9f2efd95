"""Phrase segmentation: the end of the last phrase, what is said about phrases, how they are drawn."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from hs_env.envs.single import EncoderEnv
from hs_env.problems.segmentation import END, INSIDE
from tests.envs.builders import PHRASES, TEXT, Problem, read


@pytest.fixture
def problem() -> Problem:
    return PHRASES


def test_the_last_action_is_forced(env: EncoderEnv) -> None:
    inside, end = (read(env, [END, INSIDE, INSIDE, INSIDE, INSIDE, last], **TEXT) for last in (INSIDE, END))
    assert inside[0] == end[0]
    assert inside[1]["phrases"] == end[1]["phrases"] == ("the", "movie is not very good")


def test_masks(env: EncoderEnv) -> None:
    _, info = env.reset(options={"text": "not good"})
    assert info["action_mask"].tolist() == env.action_masks().tolist() == [1, 1]
    info = env.step(INSIDE)[-1]
    assert info["action_mask"].tolist() == env.action_masks().tolist() == [0, 1]
    assert env.action_space.sample(info["action_mask"]) == END
    assert info["action_mask"].dtype == np.int8
    assert env.action_masks().dtype == np.bool_
    info = env.step(END)[-1]
    assert info["action_mask"].tolist() == [1, 1]


def test_phrases(env: EncoderEnv) -> None:
    for index in range(10):
        words = env._resources.sentences[index].words
        _, info = read(env, [INSIDE, END] * 9, indices=index)
        assert info["phrases"] == tuple(" ".join(words[start : start + 2]) for start in range(0, len(words), 2))
        assert info["num_phrases"] == len(info["phrases"])


def test_render_as_text(problem: Problem, names: dict[str, Any]) -> None:
    env = problem.single(**names, render_mode="ansi")
    env.reset(options={**TEXT, "label": "negative"})

    def text() -> str:
        drawn = env.render()
        assert isinstance(drawn, str)
        return re.sub(r"\x1b\[[0-9;]*m", "", drawn)

    assert text() == "· the movie is not very good"
    env.step(INSIDE)
    assert text() == "[the …  · movie is not very good"
    env.step(END)
    assert text() == "[the movie]  · is not very good"
    for _ in range(4):
        info = env.step(INSIDE)[-1]
    assert text().startswith("[the movie] [is not very good]  → ")
    assert f"{np.exp(info['log_probs'].max()):.2f}" in text()
    assert ("(gold negative)" in text()) is not info["correct"]
