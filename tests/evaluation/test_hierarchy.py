"""The hierarchy that HM-LSTM finds: nested as its boundaries say, on the command line, and as a policy on HS-LSTM."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import hs_env
from hs_env.agents import HMBoundaries
from hs_env.cli import main
from hs_env.evaluation import compare
from hs_env.evaluation.hierarchy import bracketed, nested
from hs_env.models import Classifier, HMLSTMClassifier
from hs_env.training import Run, TrainConfig, train
from hs_env.types import HsEnvError

QUIET = Console(quiet=True)
SMALL = {
    "corpus": "phrases:train=64,dev=20,test=20",
    "vectors": "random:6",
    "hidden_size": 8,
    "batch_size": 16,
    "warm_epochs": 2,
    "joint_epochs": 1,
    "pnet_epochs": 0,
    "threads": 1,
}


@pytest.fixture(scope="module")
def hm_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(TrainConfig(model="hm_lstm", **SMALL), tmp_path_factory.mktemp("runs") / "hm", QUIET)


@pytest.fixture(scope="module")
def hs_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(TrainConfig(**SMALL), tmp_path_factory.mktemp("runs") / "hs", QUIET)


def test_phrases_are_nested() -> None:
    words, ends = "the movie is not very good".split(), [0, 1, 0, 2, 0, 2]
    phrases = nested(words, ends, 2)
    assert phrases == [[["the", "movie"], ["is", "not"]], [["very", "good"]]]
    assert bracketed(phrases) == "[[the movie] [is not]] [[very good]]"


@given(st.lists(st.integers(0, 3), max_size=12))
def test_nothing_is_lost(ends) -> None:
    words = [str(place) for place in range(len(ends) + 1)]
    text = bracketed(nested(words, [*ends, 3], 3))
    assert text.replace("[", "").replace("]", "").split() == words
    assert text.count("[") == sum(ends) + 3


def test_segment_shows_the_hierarchy(hm_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    main(["segment", "the movie is not very good", "fine", "--run", str(hm_run.folder)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("→")[0].replace("[", "").replace("]", "").split() == "the movie is not very good".split()
    assert lines[1].startswith("[[fine]]  → ")
    main(["segment", "the movie is not very good", "--json", "--run", str(hm_run.folder)])
    found = json.loads(capsys.readouterr().out)
    assert found["text"] == "the movie is not very good"
    assert bracketed(found["phrases"]) == lines[0].split("  → ")[0]
    assert 0.5 <= found["probability"] <= 1


def test_its_boundaries_are_a_policy_for_another_vocabulary(hm_run: Run, hs_run: Run) -> None:
    other = Classifier.load("phrases")  # knows other words, in another order
    text = "the movie is not very good"
    own, foreign = (one.batch([one.sentence(text)]) for one in (hm_run.classifier, other))
    assert not torch.equal(own.tokens, foreign.tokens)
    assert isinstance(hm_run.classifier.model, HMLSTMClassifier)
    plan = HMBoundaries(other.vocabulary, hm_run.classifier).plan(foreign)
    assert torch.equal(plan, hm_run.classifier.model.boundaries(own)[..., 0])
    comparison = compare(hs_run, "test", QUIET, policies=[hm_run.folder])
    row = next(row for row in comparison.rows if row.name == "HM-LSTM boundaries")
    assert row.intervals["phrases_per_sentence"].value >= 1
    with pytest.raises(HsEnvError, match="Only HM-LSTM finds boundaries"):
        HMBoundaries(other.vocabulary, other)
    with pytest.raises(HsEnvError, match="takes no phrases from a policy"):
        compare(hm_run, "test", QUIET, policies=[hm_run.folder])


def test_its_boundaries_drive_the_environments(hm_run: Run) -> None:
    gymnasium.register_envs(hs_env)
    classifier = Classifier.load("phrases")
    text = "the movie is not very good"
    plan = HMBoundaries(classifier.vocabulary, hm_run.classifier).plan(classifier.batch([classifier.sentence(text)]))[0]
    env = gymnasium.make("hs_env/PhraseSegmentation-v0")
    env.reset(options={"text": text, "label": "negative"})
    for action in plan.tolist():
        _, reward, done, _, info = env.step(action)
    assert done
    assert info["num_phrases"] == plan.sum()
    envs = gymnasium.make_vec("hs_env/PhraseSegmentation-v0", num_envs=3)
    envs.reset(options={"text": text, "label": "negative"})
    for action in plan.tolist():
        _, rewards, done, _, info = envs.step(np.full(3, action))
    assert done.all()
    assert rewards == pytest.approx(reward, abs=1e-5)


def test_a_run_goes_on_bit_for_bit(hm_run: Run, tmp_path: Path) -> None:
    again = train(hm_run.config, tmp_path / "again", QUIET)
    for name, value in hm_run.classifier.model.state_dict().items():
        assert torch.equal(value, again.classifier.model.state_dict()[name]), name
