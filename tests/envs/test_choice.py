"""Which sentence an episode reads: seeds, options, bad options."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from hs_env.envs.classes import PhraseSegmentationEnv
from hs_env.envs.vector import EncoderVectorEnv
from hs_env.errors import HsEnvError
from hs_env.problems.segmentation import END, INSIDE
from tests.envs.builders import PHRASES, TEXT, Problem, read


@pytest.fixture
def problem() -> Problem:
    return PHRASES


def test_the_seed_decides(names: dict[str, Any]) -> None:
    def draw(seed: int) -> list[int]:
        env = PhraseSegmentationEnv(**names)
        return [env.reset(seed=seed if number == 0 else None)[1]["index"] for number in range(20)]

    assert draw(1) == draw(1) != draw(2)
    assert len(set(draw(1))) > 5


@pytest.mark.parametrize("kind", ["single", "vector"])
def test_a_refused_reset_leaves_the_seed_alone(names: dict[str, Any], kind: str) -> None:
    one, other = (getattr(PHRASES, kind)(**names) for _ in range(2))
    for env in (one, other):
        env.reset(seed=1)
    with pytest.raises(HsEnvError, match="has no words"):
        one.reset(seed=5, options={"text": ""})
    assert [one.reset()[1]["index"] for _ in range(5)] == [other.reset()[1]["index"] for _ in range(5)]


@pytest.mark.parametrize("given", [3, [3], np.int64(3), np.array([3]), (3,)])
def test_option_indices_leaves_the_seed_alone(env: PhraseSegmentationEnv, given: Any) -> None:
    env.reset(seed=4)
    expected = env.reset()[1]["index"]
    env.reset(seed=4)
    assert env.reset(options={"indices": given})[1]["index"] == 3
    assert env.reset()[1]["index"] == expected


def test_option_text(env: PhraseSegmentationEnv) -> None:
    classifier = env._resources.classifier
    free, info = read(env, [INSIDE, END], **TEXT)
    assert info["index"] == -1
    assert info["phrases"] == ("the movie", "is not very good")
    assert "correct" not in info
    assert info["reward_terms"]["log_likelihood"] == pytest.approx(info["log_probs"].max())
    by_name = {label: read(env, [INSIDE, END], **TEXT, label=label) for label in classifier.labels}
    by_index = [read(env, [INSIDE, END], **TEXT, label=label)[0] for label in range(2)]
    assert [reward for reward, _ in by_name.values()] == by_index
    assert free == by_index[info["prediction"]] == max(by_index)
    assert sorted(info["correct"] for _, info in by_name.values()) == [False, True]


def test_each_slot_has_its_own_label(env: PhraseSegmentationEnv) -> None:
    vector = EncoderVectorEnv(env._resources, 3)
    vector.reset(options={"text": "good", "label": ["negative", None, "positive"]})
    infos = vector.step([1, 1, 1])[4]
    assert infos["_correct"].tolist() == [True, False, True]
    assert sorted(infos["correct"][[0, 2]]) == [False, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"texts": "a"}, "Unknown reset option 'texts'. Did you mean 'text'?"),
        ({"text": "a", "indices": 1}, "exclude each other"),
        ({"label": 1}, "'label' needs 'text'"),
        ({"text": " \n"}, "has no words"),
        ({"text": 3}, "'text' is 3, expected a string"),
        ({"text": "a", "label": "positiv"}, "Unknown label 'positiv'. Did you mean 'positive'?"),
        ({"text": "a", "label": 2}, "The label is 2, expected 0 to 1 or one of negative, positive"),
        ({"text": "a", "label": 0.5}, "The label is 0.5"),
        ({"indices": 30}, "The index is 30, but the split holds the sentences 0 to 29"),
        ({"indices": -1}, "The index is -1"),
        ({"indices": [1, 2]}, "expected an integer or a sequence of one"),
        ({"indices": 1.0}, "expected an integer or a sequence of one"),
        ({"indices": []}, "expected an integer or a sequence of one"),
        ({"indices": None}, "expected an integer or a sequence of one"),
    ],
)
def test_bad_options(env: PhraseSegmentationEnv, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HsEnvError, match=re.escape(message)):
        env.reset(options=options)


@pytest.mark.parametrize("options", ["foo", [1], 5])
def test_options_are_a_mapping(env: PhraseSegmentationEnv, options: Any) -> None:
    with pytest.raises(HsEnvError, match="The options of reset must be a dict"):
        env.reset(options=options)
    vector = EncoderVectorEnv(env._resources, 2)
    with pytest.raises(HsEnvError, match="The options of reset must be a dict"):
        vector.reset(options=options)


def test_seeds_of_any_integer_type_begin_the_same_sentences(env: PhraseSegmentationEnv) -> None:
    vector = EncoderVectorEnv(env._resources, 1)
    for seed in (3, np.int64(3), np.uint8(3)):
        index = env.reset(seed=seed)[1]["index"]  # type: ignore[arg-type]
        assert index == env.reset(seed=3)[1]["index"] == vector.reset(seed=seed)[1]["index"][0]  # type: ignore[arg-type]
    for seed in (-1, 1.5, "x", True):
        with pytest.raises(HsEnvError, match=re.escape(f"The seed must be an integer from 0, or None, got {seed!r}")):
            env.reset(seed=seed)  # type: ignore[arg-type]
    with pytest.raises(HsEnvError, match="The seed is -1, expected"):
        vector.reset(seed=-1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"corpus": None}, "The argument corpus must be a text or a path, got None"),
        ({"corpus": "a\0b"}, "The argument corpus contains a NUL character"),
        ({"classifier": 5}, "The argument classifier must be a text or a path, got 5"),
        ({"data_dir": 5}, "The argument data_dir must be a text or a path, got 5"),
        ({"split": None}, "Unknown split None"),
        ({"reward_parameters": [1]}, "The argument reward_parameters must be a dict"),
        ({"shaping": "no"}, "The argument shaping must be True or False, got 'no'"),
        ({"shaping": 1}, "The argument shaping must be True or False, got 1"),
    ],
)
def test_arguments_of_a_wrong_type(names: dict[str, Any], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(HsEnvError, match=re.escape(message)):
        PhraseSegmentationEnv(**names | arguments)


def test_environments_ignore_autocast(env: PhraseSegmentationEnv) -> None:
    usual, _ = env.reset(seed=1)
    with torch.autocast("cpu", torch.bfloat16):
        np.testing.assert_array_equal(env.reset(seed=1)[0], usual)
        assert torch.is_autocast_enabled("cpu")
