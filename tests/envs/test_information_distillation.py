"""Information distillation: the one word of an empty sentence, what is said about words, how they are drawn."""

from __future__ import annotations

import re
from typing import Any

import gymnasium
import numpy as np
import pytest

from hs_env.envs.single import EncoderEnv
from hs_env.problems.distillation import DELETE, RETAIN
from tests.envs.builders import TEXT, WORDS_TO_KEEP, Problem, read


@pytest.fixture
def problem() -> Problem:
    return WORDS_TO_KEEP


def test_the_last_word_is_kept_if_nothing_else_is(env: EncoderEnv) -> None:
    delete, retain = (read(env, [DELETE] * 5 + [last], **TEXT) for last in (DELETE, RETAIN))
    assert delete[0] == retain[0]
    assert delete[1]["retained"] == retain[1]["retained"] == ("good",)
    assert delete[1]["num_retained"] == 1
    assert read(env, [RETAIN], **TEXT)[1]["retained"] == ("the",)


def test_masks(env: EncoderEnv) -> None:
    for first, last in ((DELETE, [0, 1]), (RETAIN, [1, 1])):
        _, info = env.reset(options={"text": "not good"})
        assert info["action_mask"].tolist() == env.action_masks().tolist() == [1, 1]
        info = env.step(first)[-1]
        assert info["action_mask"].tolist() == env.action_masks().tolist() == last
        info = env.step(DELETE)[-1]
        assert info["action_mask"].tolist() == [1, 1]


def test_retained_words(env: EncoderEnv) -> None:
    for index in range(10):
        words = env._resources.sentences[index].words
        _, info = read(env, [RETAIN, DELETE] * 9, indices=index)
        assert info["retained"] == words[::2]
        assert info["num_retained"] == len(words[::2])


def test_deletions_earn(env: EncoderEnv) -> None:
    for count in range(1, 7):
        reward, info = read(env, [RETAIN] * count, **TEXT)
        assert reward == pytest.approx(info["reward_terms"]["log_likelihood"] + 0.15 * (6 - count) / 6)


def test_only_retained_words_matter(env: EncoderEnv) -> None:
    verdicts = [
        read(env, actions, text=text)[1]["log_probs"]
        for text, actions in (("not good", [1, 1]), ("is not very good and", [0, 1, 0, 1, 0]))
    ]
    np.testing.assert_allclose(*verdicts, atol=1e-6)


def test_render_as_text(problem: Problem, names: dict[str, Any]) -> None:
    env = problem.single(**names, render_mode="ansi")
    env.reset(options={**TEXT, "label": "negative"})

    def text() -> str:
        drawn = env.render()
        assert isinstance(drawn, str)
        return re.sub(r"\x1b\[[0-9;]*m", "", drawn)

    assert text() == "· the movie is not very good"
    env.step(DELETE)
    assert text() == "~~the~~  · movie is not very good"
    for action in (DELETE, DELETE, RETAIN, RETAIN):
        env.step(action)
    assert text() == "~~the movie is~~ not very  · good"
    info = env.step(RETAIN)[-1]
    assert text().startswith("~~the movie is~~ not very good  → ")
    assert ("(gold negative)" in text()) is not info["correct"]


def test_the_picture_shows_the_word_that_had_to_be_kept(problem: Problem, names: dict[str, Any]) -> None:
    env = problem.single(**names, render_mode="ansi")
    read(env, [], **TEXT)
    assert "~~the movie is not very~~" in str(env.render())
    assert "~~good" not in str(env.render())


def test_it_works_without_arguments() -> None:
    env = gymnasium.make(WORDS_TO_KEEP.id)
    _, info = env.reset(seed=0, options={"text": "not good"})
    env.step(RETAIN)
    *_, info = env.step(RETAIN)
    assert info["retained"] == ("not", "good")
