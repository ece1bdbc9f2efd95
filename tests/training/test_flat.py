"""Runs of classifiers without structure, and runs with a fixed policy."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from rich.console import Console

from hs_env.agents import FixedPolicy, make_baseline
from hs_env.errors import HsEnvError
from hs_env.evaluation import compare
from hs_env.metrics.scores import flat_predictions, flat_scores, greedy_episodes
from hs_env.models import FlatClassifier
from hs_env.problems.segmentation import SEGMENTATION
from hs_env.training import Run, TrainConfig, TrainingData, resume, train, train_or_resume
from tests.training.stopped import stop_at_update

STRUCTURED = TrainConfig(
    corpus="phrases:train=160,dev=40,test=40",
    vectors="random:6",
    model_parameters={"hidden_size": 10},
    batch_size=16,
    warm_epochs=2,
    pnet_epochs=1,
    joint_epochs=1,
    threads=1,
    weight_decay=1.0,
    agent_parameters={"samples": 2, "hidden_size": 4},
)
FLAT = replace(STRUCTURED, model="bilstm", agent_parameters={})
QUIET = Console(quiet=True)


def assert_same(one: Run, two: Run) -> None:
    left, right = one.classifier.model.state_dict(), two.classifier.model.state_dict()
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Run:
    return train(FLAT, tmp_path_factory.mktemp("runs") / "flat", QUIET)


@pytest.mark.parametrize("model", ["plain_lstm", "cnn", "self_attentive"])
def test_each_is_trained(model, tmp_path):
    run = train(replace(FLAT, model=model, joint_epochs=0), tmp_path / "run", QUIET)
    assert isinstance(run.classifier.model, FlatClassifier)
    assert run.classifier_updates == {"warm": 20, "joint": 0}


def test_the_epoch_that_is_best_on_dev_is_saved(finished):
    epochs = json.loads((finished.folder / "history.json").read_text())["epochs"]
    assert [(entry["stage"], entry["epoch"]) for entry in epochs] == [
        ("warm", 0), ("warm", 1), ("warm", 2), ("joint", 0), ("joint", 1),
    ]  # fmt: skip
    scores = flat_scores(finished.classifier.model, TrainingData.load(FLAT.resolve()).splits["dev"])
    lighter = train(replace(FLAT, weight_decay=100.0), finished.folder.parent / "lighter", QUIET)
    assert lighter.classifier.model.output.weight.norm() < finished.classifier.model.output.weight.norm()
    best = max(epochs, key=lambda entry: entry["log_likelihood"])
    assert scores["log_likelihood"] == pytest.approx(best["log_likelihood"])
    assert scores.items() <= finished.classifier.notes.items()
    assert finished.agent is None


@pytest.mark.parametrize("stop", [7, 27])  # of 30 updates, 20 of them in the first stage
def test_stopped_and_resumed_equals_uninterrupted(finished, stop, tmp_path, monkeypatch):
    updates = stop_at_update(stop, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(replace(FLAT, checkpoint_seconds=0.0), tmp_path / "run", QUIET)
    assert_same(finished, resume(tmp_path / "run", QUIET))
    assert len(updates) == 31


def test_the_plain_lstm_of_a_comparison_is_the_run_of_one(tmp_path):
    """Of as many epochs as the C-Net had, and trained once."""
    run = train(STRUCTURED, tmp_path / "hs_lstm", QUIET)
    table = compare(run, "test", QUIET)
    config = replace(FLAT, model="plain_lstm", patience=10**9)
    alone = train(config, tmp_path / "plain_lstm", QUIET)
    assert_same(alone, Run.load(run.folder / "plain_lstm"))
    before = (run.folder / "plain_lstm" / "classifier.safetensors").stat().st_mtime_ns
    assert [row.name for row in compare(run, "dev", QUIET).rows] == [row.name for row in table.rows]
    assert (run.folder / "plain_lstm" / "classifier.safetensors").stat().st_mtime_ns == before
    (row,) = compare(alone, "test", QUIET).rows
    assert row.intervals == next(row for row in table.rows if row.name == "plain LSTM").intervals


def test_a_flat_run_is_compared_with_the_plain_lstm_alone(finished):
    table = compare(finished, "test", QUIET)
    assert [row.name for row in table.rows] == ["bidirectional LSTM", "plain LSTM"]
    assert "bidirectional LSTM less plain LSTM" in table.caption


def test_predictions_are_those_of_each_sentence(finished):
    split = TrainingData.load(FLAT.resolve()).splits["test"]
    model = finished.classifier.model
    indices, log_probs = zip(*((b.indices, v) for b, v in flat_predictions(model, split)), strict=True)
    together = torch.cat(log_probs)[torch.cat(indices).argsort()]
    with torch.no_grad():
        torch.testing.assert_close(together[3:4], model(split.batch(torch.tensor([3]))), atol=1e-6, rtol=0)


@pytest.mark.parametrize("values", [{"warm_start": "gold"}, {"reward": "hs_lstm"}])
def test_what_a_flat_model_has_not_is_refused(values):
    with pytest.raises(HsEnvError, match="takes no actions and has no"):
        replace(FLAT, **values)


# A fixed policy


@pytest.mark.parametrize("policy", ["gold", "every_k"])
def test_a_run_with_a_fixed_policy_trains_and_decides_by_it_alone(policy, tmp_path):
    config = replace(STRUCTURED, agent="fixed", agent_parameters={}, warm_start=policy, pnet_epochs=5)
    run = train(config, tmp_path / "run", QUIET)
    assert isinstance(run.agent, FixedPolicy)
    stages = [entry["stage"] for entry in json.loads((run.folder / "history.json").read_text())["epochs"]]
    assert stages == ["warm"] * 3 + ["pnet"] + ["joint"] * 2  # the start of each stage, and its epochs
    assert run.classifier_updates == {"warm": 20, "joint": 10}
    data = TrainingData.load(config.resolve())
    heuristic = make_baseline(policy, data.vocabulary, SEGMENTATION)
    for one, two in zip(
        greedy_episodes(run.classifier.model, run.agent, data.splits["test"]),
        greedy_episodes(run.classifier.model, heuristic, data.splits["test"]),
        strict=True,
    ):
        assert torch.equal(one.actions, two.actions)
    first, _, *others = compare(run, "test", QUIET).rows
    assert first.note == f"phrases of {policy}"
    assert first.intervals == next(row for row in others if row.name == policy).intervals


def test_a_folder_with_another_configuration_is_refused(finished):
    with pytest.raises(HsEnvError, match="another configuration"):
        train_or_resume(replace(FLAT, seed=1), finished.folder, QUIET)
    assert_same(train_or_resume(FLAT, finished.folder, QUIET), finished)
