"""Runs that start from another, and callbacks that stop a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from hs_env import cli
from hs_env.agents import load_agent_for
from hs_env.corpora import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.training import Run, TrainConfig, resume, train
from tests.training.test_training import CONFIG, assert_same, weights

QUIET = Console(quiet=True)
SHORT = replace(CONFIG, warm_epochs=1, pnet_epochs=1, joint_epochs=1)


@pytest.fixture(scope="module")
def parent(tmp_path_factory) -> Run:
    return train(SHORT, tmp_path_factory.mktemp("runs") / "parent", QUIET)


def child(parent: Run, **changes: object) -> TrainConfig:
    return replace(
        SHORT, **{"init_from": str(parent.folder), "warm_epochs": None, "pnet_epochs": None, "seed": 5} | changes
    )


def test_a_child_starts_with_the_weights_of_its_parent(parent, tmp_path):
    same = train(child(parent, joint_epochs=0), tmp_path / "same", QUIET)
    assert_same(parent, same)
    assert same.config.init_from == str(parent.folder)
    (record,) = json.loads((same.folder / "record.json").read_text())
    assert record["parent"]["folder"] == str(parent.folder)
    assert len(record["parent"]["agent.safetensors"]) == 64
    longer = train(child(parent), tmp_path / "longer", QUIET)
    assert not torch.equal(weights(parent)["model.words.weight"], weights(longer)["model.words.weight"])
    assert [entry["stage"] for entry in longer.history] == ["warm", "pnet", "joint", "joint"]
    # The plain LSTM of its table gets as many updates as the classifier, with those of the parent.
    assert longer.classifier_updates == {"warm": 10, "joint": 20}


def test_words_of_both_corpora_keep_their_vectors(parent, tmp_path):
    other = train(child(parent, corpus="phrases:train=20,dev=20,test=20,seed=4", joint_epochs=0), tmp_path / "a", QUIET)
    mine, theirs = other.classifier.vocabulary.words, parent.classifier.vocabulary.words
    assert mine != theirs
    for word in set(mine) & set(theirs):
        rows = [
            run.classifier.model.words.weight[run.classifier.vocabulary.words.index(word)] for run in (other, parent)
        ]
        assert torch.equal(*rows), word


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_parameters": {"hidden_size": 11}}, r"weight .* of shape .*, expected .*; use its model parameters"),
        ({"model": "id_lstm"}, "its model is HS-LSTM, not ID-LSTM"),
        ({"vectors": "random:7"}, "word vectors are 6 wide, expected 7"),
        ({"corpus": "own.jsonl"}, "its classes are negative, positive, and those of .* are no, yes"),
        ({"agent_parameters": {"hidden_size": 5}}, "its agent does not fit"),
        ({"agent": "ppo", "agent_parameters": {"steps": 128}}, "SB3Learner cannot start from a LogitPolicy"),
        ({"init_from": "."}, "holds no finished run to start from"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(parent, changes, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{"text": f"a {word} film {number}", "label": word} for number in range(20) for word in ("no", "yes")]
    Path("own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(HsEnvError, match=message):
        train(child(parent, **changes), tmp_path / "run", QUIET)
    assert not (tmp_path / "run").exists()


def test_agents_of_stable_baselines_start_from_their_kind(tmp_path):
    arguments = {"slots": 4, "steps": 16, "samples": 2, "n_steps": 16, "batch_size": 32, "n_epochs": 1}
    config = replace(SHORT, agent="ppo", agent_parameters=arguments)
    first = train(config, tmp_path / "first", QUIET)
    second = replace(config, init_from=str(first.folder), warm_epochs=None, pnet_epochs=None, joint_epochs=0)
    assert_same(first, train(second, tmp_path / "second", QUIET))


def test_the_command_line_takes_the_options_of_the_parent(parent, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "hs_env.cli.train.compare", lambda run, *_: seen.append(run) or (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(SystemExit):
        cli.main(["train", "--init-from", str(parent.folder), "--joint-epochs", "0", "--out", str(tmp_path / "run")])
    (run,) = seen
    inherited = {"warm_epochs": 0, "pnet_epochs": 0, "joint_epochs": 0, "init_from": str(parent.folder)}
    assert run.config == replace(parent.config, **inherited)


class StopError(Exception):
    """Raised by a callback."""


def test_a_callback_sees_every_epoch_and_may_stop_the_run(parent, tmp_path):
    seen = []

    def stop(entry):
        seen.append(entry)
        if entry["stage"] == "joint":
            raise StopError

    with pytest.raises(StopError):
        train(SHORT, tmp_path / "run", QUIET, callback=stop)
    assert [(entry["stage"], entry["epoch"]) for entry in seen] == [
        ("warm", 0), ("warm", 1), ("pnet", 0), ("pnet", 1), ("joint", 0),
    ]  # fmt: skip
    rest = []
    resumed = resume(tmp_path / "run", QUIET, callback=rest.append)
    assert_same(parent, resumed)
    assert [(entry["stage"], entry["epoch"]) for entry in rest] == [("joint", 0), ("joint", 1)]
    kept = next(entry for entry in reversed(resumed.history) if entry["best"])
    assert resumed.scores["accuracy"] == kept["accuracy"]
    assert resumed.history[-1]["updates"] == 30
    assert {"reward/log_likelihood", "reward/structure"} <= resumed.scores.keys()


def test_a_reader_needs_the_vocabulary_it_was_trained_with(tmp_path):
    """Another vocabulary of equal size would give each word the vector of another one, without an error."""
    reading = replace(SHORT, agent_parameters={"samples": 2, "hidden_size": 4, "reader": "words", "reader_size": 3})
    parent = train(reading, tmp_path / "parent", QUIET)
    words = parent.classifier.vocabulary.words[2:]
    reordered = Vocabulary((*words[1:], words[0]))
    with pytest.raises(HsEnvError, match="has a reader, which knows words by their numbers"):
        load_agent_for(parent.classifier.model, reordered, parent.folder)
    assert load_agent_for(parent.classifier.model, parent.classifier.vocabulary, parent.folder).reads_words
    changes = {"corpus": "phrases:train=160,dev=40,test=40,seed=4", "agent_parameters": reading.agent_parameters}
    with pytest.raises(HsEnvError, match="its P-Net has a reader, which knows words by their numbers in its vocab"):
        train(child(parent, **changes), tmp_path / "child", QUIET)
