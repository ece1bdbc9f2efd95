"""Nested phrases of HM-LSTM and H-Net: as their boundaries say, on the command line, and as a policy on HS-LSTM."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import hs_env
from hs_env.agents import LearnedBoundaries
from hs_env.cli import main
from hs_env.errors import HsEnvError
from hs_env.evaluation import compare
from hs_env.metrics.scores import flat_scores, nested_scores
from hs_env.models import Classifier, HMLSTMClassifier, NestedClassifier
from hs_env.models.hm.boundary import annealed_slope
from hs_env.render import Segmented, to_ansi, to_text
from hs_env.training import Run, TrainConfig, TrainingData, resume, train
from tests.training.stopped import stop_at_update

QUIET = Console(quiet=True)
SMALL = {
    "corpus": "phrases:train=64,dev=20,test=20",
    "vectors": "random:6",
    "model_parameters": {"hidden_size": 8},
    "batch_size": 16,
    "warm_epochs": 2,
    "joint_epochs": 1,
    "pnet_epochs": 0,
    "threads": 1,
}


@pytest.fixture(scope="module")
def hm_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(TrainConfig(model="hm_lstm", **SMALL), tmp_path_factory.mktemp("runs") / "hm", QUIET)


@pytest.fixture(scope="module", params=["hm_lstm", "h_net"])
def nested_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(TrainConfig(model=request.param, **SMALL), tmp_path_factory.mktemp("runs") / request.param, QUIET)


@pytest.fixture(scope="module")
def hs_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(TrainConfig(**SMALL), tmp_path_factory.mktemp("runs") / "hs", QUIET)


def hierarchy(words: list[str], ends: list[int], **verdict: str) -> Segmented:
    return Segmented(tuple(words), tuple(min(count, 1) for count in ends), ends=tuple(ends), **verdict)


def test_phrases_are_nested() -> None:
    shown = hierarchy("the movie is not very good".split(), [0, 1, 0, 2, 0, 2], prediction="negative")
    assert shown.nested == [[["the", "movie"], ["is", "not"]], [["very", "good"]]]
    assert to_text(shown) == "[[the movie] [is not]] [[very good]]  → negative"
    one = Segmented(shown.words, shown.actions, prediction="negative")
    assert one.nested == [["the", "movie"], ["is", "not"], ["very", "good"]]
    assert to_text(hierarchy([*shown.words], [*shown.actions], prediction="negative")) == to_text(one)


@given(st.lists(st.integers(0, 3), max_size=12))
def test_nothing_is_lost_and_what_is_shown_is_what_is_nested(ends) -> None:
    words = [str(place) for place in range(len(ends) + 1)]
    shown = hierarchy(words, [*ends, 3])
    text = to_text(shown)
    assert text.replace("[", "").replace("]", "").split() == words
    assert text.count("[") == sum(ends) + 3
    assert json.loads(f"[{text.replace('] [', '], [').replace(' ', ', ').replace(',,', ',')}]") == as_numbers(
        shown.nested
    )
    assert re.sub("\x1b\\[[0-9;]*m", "", to_ansi(shown)) == text


def as_numbers(phrases: list[Any]) -> list[Any]:
    return [int(each) if isinstance(each, str) else as_numbers(each) for each in phrases]


def bracketed(phrases: list[Any]) -> str:
    return " ".join(each if isinstance(each, str) else f"[{bracketed(each)}]" for each in phrases)


@pytest.mark.parametrize("ends", [(1,), (2, 1), (0, 1, 2)])
def test_ends_that_do_not_fit_are_refused(ends) -> None:
    with pytest.raises(HsEnvError, match="one end for each word"):
        Segmented(("a", "b"), (1, 1), ends=ends)


def test_segment_shows_the_hierarchy(nested_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    main(["segment", "the movie is not very good", "fine", "--run", str(nested_run.folder)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("→")[0].replace("[", "").replace("]", "").split() == "the movie is not very good".split()
    assert lines[1].lstrip("[").startswith("fine]")
    main(["segment", "the movie is not very good", "--json", "--run", str(nested_run.folder)])
    found = json.loads(capsys.readouterr().out)
    assert found["text"] == "the movie is not very good"
    assert bracketed(found["phrases"]) == lines[0].split("  → ")[0]
    assert json.dumps(found["phrases"]).count('"') == 2 * 6
    assert 0.5 <= found["probability"] <= 1


def test_its_boundaries_are_a_policy_for_another_vocabulary(nested_run: Run, hs_run: Run) -> None:
    other = Classifier.load("phrases")  # knows other words, in another order
    text = "the movie is not very good"
    own, foreign = (one.batch([one.sentence(text)]) for one in (nested_run.classifier, other))
    assert not torch.equal(own.tokens, foreign.tokens)
    model = nested_run.classifier.model
    assert isinstance(model, NestedClassifier)
    plan = LearnedBoundaries(other.vocabulary, nested_run.classifier).plan(foreign)
    assert torch.equal(plan, model.parse(own).boundaries[..., 0])
    comparison = compare(hs_run, "test", QUIET, policies=[nested_run.folder])
    row = next(row for row in comparison.rows if row.name == f"{model.title} boundaries")
    assert row.intervals["phrases_per_sentence"].value >= 1
    with pytest.raises(HsEnvError, match="Only HM-LSTM and H-Net find boundaries"):
        LearnedBoundaries(other.vocabulary, other)
    with pytest.raises(HsEnvError, match="takes no phrases from a policy"):
        compare(nested_run, "test", QUIET, policies=[nested_run.folder])


def test_its_boundaries_drive_the_environments(nested_run: Run) -> None:
    gymnasium.register_envs(hs_env)
    classifier = Classifier.load("phrases")
    text = "the movie is not very good"
    plan = LearnedBoundaries(classifier.vocabulary, nested_run.classifier).plan(
        classifier.batch([classifier.sentence(text)])
    )[0]
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


@pytest.mark.parametrize("stop", [3, 10])  # of 12 updates, 8 of them in the first stage
def test_stopped_and_resumed_equals_uninterrupted(nested_run: Run, stop, tmp_path, monkeypatch) -> None:
    stop_at_update(stop, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(replace(nested_run.config, checkpoint_seconds=0.0), tmp_path / "run", QUIET)
    again = resume(tmp_path / "run", QUIET)
    for name, value in nested_run.classifier.model.state_dict().items():
        assert torch.equal(value, again.classifier.model.state_dict()[name]), name
    assert epochs_of(nested_run) == epochs_of(again)


def epochs_of(run: Run) -> list[dict[str, Any]]:
    """The history but for its times."""
    epochs = json.loads((run.folder / "history.json").read_text())["epochs"]
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in epochs]


def test_the_slope_of_what_is_saved_is_that_of_its_last_update(tmp_path: Path) -> None:
    changed = {"joint_epochs": 0, "model_parameters": {"hidden_size": 8, "slope_per_epoch": 2.0}}
    run = train(TrainConfig(model="hm_lstm", **SMALL | changed), tmp_path / "run", QUIET)
    assert isinstance(run.classifier.model, HMLSTMClassifier)
    updates = run.classifier.notes["updates"]  # of the epoch that was best; none before the first
    expected = 1.0 if updates == 0 else annealed_slope((updates - 1) / 4, 2.0)
    assert run.classifier.model.levels.slope == pytest.approx(expected)


def test_rates_and_operations_are_those_of_the_words(hm_run: Run) -> None:
    """Counted word by word, of the words whose boundaries are not given."""
    data, model = TrainingData.load(hm_run.config), hm_run.classifier.model
    assert isinstance(model, HMLSTMClassifier)
    split, counts, words, phrases = data.splits["dev"], Counter[str](), 0, 0
    for row in range(len(split)):
        z = model.parse(split.batch(torch.tensor([row]))).boundaries[0].tolist()
        phrases += sum(word[0] for word in z)
        before = [0, 0, 0]
        for word in z[:-1]:
            words += 1
            below = [1, *word]
            for layer in range(3):
                name = "flush" if before[layer] else "update" if below[layer] else "copy"
                counts[f"{name}_{layer + 1}"] += 1
            for level in range(2):
                counts[f"boundaries_{level + 1}"] += word[level]
            before = [*word, 0]
    scores = nested_scores(model, split)
    assert scores.pop("phrases_per_sentence") == pytest.approx(phrases / len(split))
    for name, value in flat_scores(model, split).items():
        assert scores.pop(name) == value, name
    assert scores == pytest.approx({name: counts[name] / words for name in scores}, abs=1e-6)
    assert {"boundaries_1", "boundaries_2", "copy_3"} <= scores.keys()
    assert hm_run.classifier.notes["copy_3"] == pytest.approx(scores["copy_3"])
