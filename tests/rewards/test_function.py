"""Plain functions as rewards."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from functools import partial

import gymnasium
import numpy as np
import pytest
import torch

import hs_env  # noqa: F401 - registers the environments
from hs_env.corpora import Vocabulary, load_corpus
from hs_env.corpora.encoded import EncodedSplit
from hs_env.errors import HsEnvError
from hs_env.ranks import quotients
from hs_env.rewards import (
    REWARDS,
    Accuracy,
    FunctionReward,
    Phrases,
    describe_parameters,
    make_reward,
    phrase_lengths,
)
from hs_env.types import Episodes, Originals, Sentence
from tests.rewards.builders import one_sentence

ID = "hs_env/PhraseSegmentation-v0"


def long_phrases(phrase_lengths, limit=4):
    """Minus the words beyond the limit."""
    return [-sum(max(0, length - limit) for length in lengths) for lengths in phrase_lengths]


def known(episodes: Episodes, *sentences: Sentence) -> Episodes:
    """Episodes whose sentences are known."""
    originals = Originals(sentences, torch.arange(len(episodes)) % len(sentences))
    return replace(episodes, sentences=replace(episodes.sentences, originals=originals))


FILM = Sentence(("not", "a", "good", "film"), 0, columns={"source": "web", "stars": 2})
EPISODES = known(one_sentence(["0101", "1111"], [[-0.1, -2.4], [-1.0, -0.5]]), FILM)


def test_a_function_gets_what_it_names():
    seen = {}

    def everything(
        texts, phrases, phrase_lengths, retained, actions, labels, log_probs, progress, stars, scale=1, **columns
    ):
        seen.update(locals())
        return [0.5, None]

    rewarded = FunctionReward(everything, scale=3)(EPISODES)
    log_probs = seen.pop("log_probs")
    assert log_probs[0] == pytest.approx([-0.1, -2.4])
    del seen["seen"]
    assert seen == {
        "texts": ["not a good film"] * 2,
        "phrases": [["not a", "good film"], ["not", "a", "good", "film"]],
        "phrase_lengths": [[2, 2], [1, 1, 1, 1]],
        "retained": [["a", "film"], ["not", "a", "good", "film"]],
        "actions": [[0, 1, 0, 1], [1, 1, 1, 1]],
        "labels": [0, 0],
        "progress": 1.0,
        "stars": [2, 2],
        "scale": 3,
        "columns": {"source": ["web", "web"]},
    }
    assert rewarded.total.tolist() == [0.5, 0.0]
    assert quotients(rewarded.sums()) == {"everything": 0.5}  # None is no opinion: it is not counted


def test_characters_are_joined_as_they_were():
    sentences = [Sentence(tuple(text), 0, unit="characters") for text in ("a film", "afilm")]
    batch = EncodedSplit.from_sentences(sentences, Vocabulary(list(" afilm"))).batch(torch.arange(2))
    episodes = Episodes(batch, torch.tensor([[1, 1, 0, 0, 0, 1], [1, 0, 0, 0, 1, 0]]), torch.zeros(2, 2))
    seen = {}
    FunctionReward(lambda texts, phrases: seen.update(texts=texts, phrases=phrases) or [0.0, 0.0])(episodes)
    assert seen == {"texts": ["a film", "afilm"], "phrases": [["a", " ", "film"], ["a", "film"]]}


def test_none_is_counted_by_nobody_and_may_be_all():
    silent = FunctionReward(lambda labels: [None] * len(labels), "silent.v1")
    rewarded = (Accuracy() + 2 * silent)(EPISODES)
    assert rewarded.total.tolist() == [1.0, 0.0]
    assert quotients(rewarded.sums()) == {"accuracy": 0.5}
    both = FunctionReward(lambda labels: [None, 2.0]) + FunctionReward(lambda labels: np.array([1.0, 3.0]))
    assert quotients(both(EPISODES).sums()) == {"<lambda>": 3.0}  # an opinion of one of them is one of the term


def test_terms_of_weight_0_are_computed_and_logged():
    reward = Accuracy() + 0 * (2 * Phrases())
    rewarded = reward(EPISODES)
    assert rewarded.total.tolist() == [1.0, 0.0]
    assert rewarded.terms["phrases"].tolist() == [0.0, 0.0]
    assert rewarded.unweighted["phrases"].tolist() == [1.0, 2.0]
    assert quotients(rewarded.sums()) == {"accuracy": 0.5, "phrases": 1.5}
    assert quotients((3 * reward)(EPISODES).sums()) == {"accuracy": 1.5, "phrases": 1.5}
    assert quotients((reward + Phrases())(EPISODES).sums()) == {"accuracy": 0.5, "phrases": 0.75}


def test_the_progress_reaches_every_part():
    reward = 2 * FunctionReward(lambda progress, labels: [progress] * len(labels)) + 0 * Accuracy()
    assert reward(EPISODES).total.tolist() == [2.0, 2.0]
    reward.set_progress(0.25)
    assert reward(EPISODES).total.tolist() == [0.5, 0.5]
    other = 2 * FunctionReward(lambda progress, labels: [progress] * len(labels)) + 0 * Accuracy()
    other.load_state_dict(reward.state_dict())
    assert other(EPISODES).total.tolist() == [0.5, 0.5]


def test_relaxed_actions_are_rounded():
    relaxed = replace(EPISODES, actions=torch.tensor([[0.2, 0.9, 0.4, 1.0], [0.6, 0.7, 1.0, 1.0]]).requires_grad_())
    assert FunctionReward(long_phrases, limit=1)(relaxed).total.tolist() == [-2.0, 0.0]


def test_lengths_of_phrases_as_a_tensor():
    assert phrase_lengths(EPISODES).tolist() == [[0, 2, 0, 2], [1, 1, 1, 1]]


@pytest.fixture
def registered(monkeypatch, tmp_path):
    monkeypatch.setattr(REWARDS, "_entries", dict(REWARDS._entries))
    assert REWARDS.register("long_phrases.v1")(long_phrases) is long_phrases
    (tmp_path / "my_functions.py").write_text(
        "def few(phrases, most=2):\n    return [most - len(p) for p in phrases]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_functions", None)


def test_functions_in_expressions(registered):
    reward = make_reward("accuracy + 0.5 * long_phrases(limit=1) - my_functions:few")
    assert reward.name == "accuracy.v1 + 0.5 * long_phrases.v1 - my_functions:few"
    assert reward(EPISODES).total.tolist() == [1 - 0.5 * 2 - 0, 0 - 0.0 + 2]
    assert describe_parameters(long_phrases) == "limit=4"
    with pytest.raises(HsEnvError, match=r"'long_phrases\.v1' does not take these parameters: .*Did you mean 'limit'"):
        make_reward("long_phrases(limt=1)")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda texts: [1.0], r"'f' must return a list of 2 numbers or None, got 1 values"),
        (lambda texts: 1.0, r"must return a list of 2 numbers or None, got 1\.0"),
        (lambda texts: ["a", 1], r"must return numbers or None, got 'a'"),
        (lambda texts: [np.float32(1), "x"], r"must return numbers or None, got 'x'"),
        (lambda texts: [math.nan, 1], r"is nan for sentence 0"),
        (lambda texts: [1 / 0], r"'f' failed: ZeroDivisionError"),
        (
            lambda texts, star: [1, 1],
            r"takes the argument 'star', which is neither one of texts, .* further columns: source, stars\.",
        ),
    ],
)
def test_faults_name_the_reward(function, message):
    with pytest.raises(HsEnvError, match=message):
        FunctionReward(function, "f")(EPISODES)


def test_what_cannot_be_called_by_name_or_without_words():
    with pytest.raises(HsEnvError, match="gets keyword arguments only"):
        FunctionReward(lambda texts, /: [])
    with pytest.raises(HsEnvError, match="needs the words, but these episodes hold token ids only"):
        FunctionReward(lambda texts: [])(one_sentence(["11"], [[0.0, -9.0]]))


@pytest.mark.parametrize(
    "function",
    [lambda episodes: [], lambda phrase_length: [], lambda obs, action, info: 0.0],
    ids=["batch", "typo", "step"],
)
def test_a_function_without_a_known_argument_is_told_what_it_can_have(function):
    with pytest.raises(HsEnvError, match=r"which it does not get\. Name some of texts, .*derive a class from .*Reward"):
        make_reward(function)


def test_a_partial_function_has_the_name_of_its_function():
    def longer(texts, limit):
        return [float(len(text) > limit) for text in texts]

    reward = make_reward(partial(longer, limit=3))
    assert (reward.name, *reward(EPISODES).terms) == ("longer", "longer")


def test_columns_of_a_corpus_reach_it(tmp_path):
    good = '{"text": "good film", "label": "positive", "stars": 5}'
    rows = [good, '{"text": "bad film , sadly", "label": "negative"}'] * 10
    (tmp_path / "own.jsonl").write_text("\n".join(rows))
    (tmp_path / "own.csv").write_text("text,stars,label\n" + "good film,5,1\nbad film,,0\n" * 10)
    assert {sentence.columns["stars"] for sentence in load_corpus(tmp_path / "own.jsonl").splits["train"]} == {5, None}
    assert {sentence.columns["stars"] for sentence in load_corpus(tmp_path / "own.csv").splits["train"]} == {"5", ""}

    def stars(stars, labels):
        return stars

    kind = {"corpus": str(tmp_path / "own.jsonl"), "classifier": "phrases", "reward": stars}
    env, envs = gymnasium.make(ID, **kind), gymnasium.make_vec(ID, 3, **kind)
    sentences = load_corpus(tmp_path / "own.jsonl").splits["train"]
    five, none = (next(at for at, each in enumerate(sentences) if each.columns["stars"] == want) for want in (5, None))
    for index, earned in ((five, 5.0), (none, 0.0)):
        env.reset(options={"indices": index})
        assert [env.step(1)[1] for _ in sentences[index].words][-1] == earned
    envs.reset(options={"indices": [none, five, none]})
    assert envs.step([1, 1, 1])[1].tolist() == [0, 0, 0]
    assert envs.step([1, 1, 1])[1].tolist() == [0, 5.0, 0]
    env.reset(options={"text": "a text of no corpus"})  # it has no columns
    assert [env.step(1)[1] for _ in range(5)][-1] == 0.0


def test_an_environment_takes_functions_objects_and_makers():
    def words(texts):
        return [float(len(text.split())) for text in texts]

    for reward, term in ((words, "words"), (Accuracy() + 0 * Phrases(), "accuracy"), (Accuracy, "accuracy")):
        env = gymnasium.make(ID, reward=reward)
        env.reset(options={"text": "very good", "label": "positive"})
        env.step(1)
        info = env.step(1)[4]
        assert term in info["reward_terms"]
        assert ("unweighted_terms" in info) == ("phrases" in info["reward_terms"])
    env = gymnasium.make_vec(ID, 2, reward="accuracy + 0 * phrases")
    env.reset(options={"text": "good"})
    assert env.step([1, 1])[4]["unweighted_terms"]["phrases"].tolist() == [1.0, 1.0]
