"""A policy on a whole split."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import hs_env  # noqa: F401 - registers the environments
from hs_env.agents import make_baseline
from hs_env.corpora import load_corpus
from hs_env.errors import HsEnvError
from hs_env.metrics import mean_reward
from hs_env.models import Classifier
from hs_env.problems.segmentation import SEGMENTATION

ID = "hs_env/PhraseSegmentation-v0"
SMALL = {"corpus": "phrases:train=20,dev=20,test=60", "reward": "log_likelihood - phrases"}


def by_size(observations, masks):
    return (np.abs(observations).sum(1) * 100).astype(np.int64) % 2


def test_it_is_the_mean_of_what_the_environment_pays():
    env, earned = gymnasium.make(ID, split="test", **SMALL), []
    for index in range(60):
        observation, info = env.reset(options={"indices": index})
        ended = False
        while not ended:
            action = by_size(observation[None], info["action_mask"][None])[0]
            observation, reward, ended, _, info = env.step(action)
        earned.append(reward)
    assert mean_reward(by_size, "test", **SMALL) == pytest.approx(np.mean(earned), abs=1e-5)
    assert mean_reward(by_size, sentences=7, **SMALL) == pytest.approx(np.mean(earned[:7]), abs=1e-5)


def test_agents_and_other_environments():
    vocabulary = Classifier.load("phrases").vocabulary
    words = [len(sentence.words) for sentence in load_corpus(SMALL["corpus"]).splits["dev"]]
    all_inside = make_baseline("all_inside", vocabulary, SEGMENTATION)
    share = mean_reward(all_inside, "dev", corpus=SMALL["corpus"], reward="phrases")
    assert share == pytest.approx(np.mean(1 / np.array(words)))
    deleted = mean_reward(
        lambda _, masks: np.zeros(len(masks), int),
        "dev",
        env="hs_env/InformationDistillation-v0",
        corpus=SMALL["corpus"],
        reward="deletions",
    )
    assert deleted == pytest.approx(np.mean(1 - 1 / np.array(words))), "one word always stays"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"agent": lambda observations, masks: [0.5] * len(masks)}, "must return .* whole numbers"),
        (
            {"agent": lambda observations, masks: np.full(len(masks), 7), **SMALL},
            "returns the action 7; actions are from 0",
        ),
        ({"agent": lambda observations, masks: np.full(len(masks), -1), **SMALL}, "returns the action -1"),
        ({"agent": lambda observations, masks: ([1], None), **SMALL}, "take its first element, or give SB3Agent"),
        ({"agent": "ppo", **SMALL}, "Expected an agent, such as .* or a function; got a str"),
        ({"agent": by_size, "sentences": 61, **SMALL}, "has 60 sentences, asked for 61"),
        ({"agent": by_size, "sentences": 4.0, **SMALL}, r"has 60 sentences, asked for 4\.0"),
        ({"agent": by_size, "shaping": True, **SMALL}, "whole sentences, so mean_reward has no argument 'shaping'"),
        ({"agent": by_size, "env": "CartPole-v1"}, "one of hs-env's environments, such as .*; got 'CartPole-v1'"),
    ],
)
def test_faults(arguments, message):
    with pytest.raises(HsEnvError, match=message):
        mean_reward(**arguments)
