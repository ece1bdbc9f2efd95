"""Runs that can be trusted: read only with their own data, from anywhere, and without harm if they come from others."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from hs_env import cli
from hs_env.agents import load_agent, make_baseline
from hs_env.corpora import load_corpus
from hs_env.errors import HsEnvError
from hs_env.evaluation import compare
from hs_env.models import Classifier
from hs_env.report import make_report
from hs_env.storage import load_state, save_state
from hs_env.training import Run, TrainConfig, resume, train, train_or_resume
from hs_env.training.config import ResolvedConfig
from hs_env.training.digests import check_data, corpus_digests
from hs_env.training.folders import alone
from tests.training.stopped import train_almost_to_the_end

QUIET = Console(quiet=True)
WORDS = "good bad fine poor film plot cast score a the very not so and".split()
CONFIG = TrainConfig(
    corpus="corpus.jsonl",
    vectors="vectors.txt",
    model_parameters={"hidden_size": 4},
    agent_parameters={"samples": 2, "hidden_size": 3},
    batch_size=8,
    warm_epochs=1,
    pnet_epochs=1,
    joint_epochs=1,
    threads=1,
)


def write(folder: Path) -> None:
    """A small corpus and word vectors."""
    dice = random.Random(0)
    texts = dict.fromkeys(" ".join(dice.choices(WORDS, k=4)) for _ in range(40))
    rows = [{"text": text, "label": ("no", "yes")[number % 2]} for number, text in enumerate(texts)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "vectors.txt").write_text("".join(f"{word} {len(word)} 0.5 -0.25\n" for word in WORDS))


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with corpus, vectors and a run that was started in it with relative paths."""
    folder: Path = tmp_path_factory.mktemp("place")
    write(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        compare(train(CONFIG, "run", QUIET), "test", QUIET)
    return folder


@pytest.fixture
def copy(place: Path, tmp_path: Path) -> Path:
    """A copy of the run, beside a copy of its corpus that its configuration names."""
    shutil.copytree(place / "run", tmp_path / "run")
    shutil.copy(place / "corpus.jsonl", tmp_path)
    for config in (tmp_path / "run").rglob("config.json"):
        config.write_text(config.read_text().replace(str(place / "corpus.jsonl"), str(tmp_path / "corpus.jsonl")))
    return tmp_path / "run"


# The data


def changed_lines(corpus: Path, change: Callable[[list[str]], list[str]]) -> None:
    corpus.write_text("".join(change(corpus.read_text().splitlines(keepends=True))))


def swapped_labels(lines: list[str]) -> list[str]:
    return [line.replace('"no"', '"?"').replace('"yes"', '"no"').replace('"?"', '"yes"') for line in lines]


CHANGES = {
    "sentences": lambda lines: [lines[0].replace('"text": "', '"text": "so '), *lines[1:]],
    "labels": swapped_labels,
    "splits": lambda lines: lines[::-1],
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_run_is_not_read_with_a_changed_corpus(what, copy):
    Run.load(copy).data("test")
    changed_lines(copy.parent / "corpus.jsonl", CHANGES[what])
    message = f"has changed since the run in .* began: it has other .*{what}.*Restore it as it was, or train a new run"
    with pytest.raises(HsEnvError, match=message):
        Run.load(copy).data("test")
    with pytest.raises(HsEnvError, match=message):
        make_report([copy], "test", QUIET)


def test_columns_for_rewards_are_data_too(tmp_path):
    rows = [("good film", "yes"), ("bad film", "no")] * 15
    own = tmp_path / "own.csv"

    def write(weight):
        lines = [f"{text} {number},{label},{weight}" for number, (text, label) in enumerate(rows)]
        own.write_text("\n".join(["text,label,weight", *lines]))
        return corpus_digests(load_corpus(own))

    digests = write(1)
    save = {name: value for name, value in digests.items() if name != "columns"}
    (tmp_path / "data.json").write_text(json.dumps(digests))
    check_data(tmp_path, "corpus", write(1), rewards=True)
    check_data(tmp_path, "corpus", write(2))
    with pytest.raises(HsEnvError, match="it has other values in its columns for rewards"):
        check_data(tmp_path, "corpus", write(2), rewards=True)
    (tmp_path / "data.json").write_text(json.dumps(save))  # of an older version
    check_data(tmp_path, "corpus", write(2), rewards=True)


def test_neighbours_and_evaluate_refuse_a_changed_corpus(copy, capsys):
    changed_lines(copy.parent / "corpus.jsonl", CHANGES["splits"])
    for command in (["evaluate", str(copy)], ["neighbours", "good", "--run", str(copy)]):
        with pytest.raises(SystemExit):
            cli.main(command)
        assert "has changed since the run" in capsys.readouterr().err


def test_a_run_older_than_digests_loads(copy):
    (copy / "data.json").unlink()
    changed_lines(copy.parent / "corpus.jsonl", CHANGES["splits"])
    Run.load(copy).data("test")


# From anywhere


def test_a_finished_run_needs_neither_its_working_directory_nor_its_vectors(place, copy, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    config = Run.load(place / "run").config
    assert config.corpus == str(place / "corpus.jsonl")
    assert config.vectors == str(place / "vectors.txt")
    before = compare(Run.load(place / "run"), "test", QUIET)
    (place / "vectors.txt").rename(place / "moved.txt")
    try:
        assert compare(Run.load(place / "run"), "test", QUIET) == before
        assert "plain LSTM" in make_report([place / "run"], "test", QUIET)
        shown = io.StringIO()
        shutil.rmtree(copy / "plain_lstm")
        table = compare(Run.load(copy), "test", Console(file=shown, width=1000))
        assert [row.name for row in table.rows] == [row.name for row in before.rows if row.name != "plain LSTM"]
        assert "Warning: there is no plain LSTM to compare with" in shown.getvalue()
        assert "vectors.txt" in shown.getvalue()
    finally:
        (place / "moved.txt").rename(place / "vectors.txt")


def test_a_folder_that_may_not_be_written_gives_a_table_and_a_warning(copy, monkeypatch):
    def refuse(path: object, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    shown = io.StringIO()
    monkeypatch.setattr("hs_env.evaluation.table.write_json", refuse)
    table = compare(Run.load(copy), "dev", Console(file=shown, width=1000))
    assert table.rows[0].name == "HS-LSTM"
    assert "Warning: the result is not saved" in shown.getvalue()
    assert "evaluation-dev.json" in shown.getvalue()


@pytest.mark.parametrize(
    ("vectors", "located"),
    [
        ("random:4", "random:4"),
        ("vectors.txt", "{}/vectors.txt"),
        ("vectors.txt,none.txt+random:2", "{}/vectors.txt,none.txt+random:2"),
        ("glove-6b-50d", "glove-6b-50d"),
    ],
)
def test_paths_are_kept_absolute(vectors, located, place, monkeypatch):
    monkeypatch.chdir(place)
    config = replace(CONFIG, vectors=vectors, data_dir=".").resolve().located()
    assert (config.vectors, config.data_dir) == (located.format(place), place)
    assert replace(CONFIG, corpus="phrases:train=20").resolve().located().corpus == "phrases:train=20"


def test_a_pattern_of_files_is_kept_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pattern = "a.{split}.csv:encoding=latin-1"
    assert replace(CONFIG, corpus=pattern).resolve().located().corpus == pattern
    (tmp_path / "a.train.csv").write_text("text,label\na,0\n", encoding="utf-8")
    assert replace(CONFIG, corpus=pattern).resolve().located().corpus == f"{tmp_path}/{pattern}"


# Types


def test_paths_and_numbers_of_any_type(place, tmp_path):
    class Place:
        def __fspath__(self) -> str:
            return str(tmp_path / "run")

    config = replace(
        CONFIG,
        corpus=place / "corpus.jsonl",
        vectors=place / "vectors.txt",
        data_dir=str(place),
        batch_size=np.int64(8),
        tau=np.float32(0.5),
        reward_dropout=np.bool_(False),
        model_parameters={"hidden_size": np.int32(4), "dropout": np.float64(0.1)},
        reward="hs_lstm",
        reward_parameters={"gamma": np.float32(0.5)},
    )
    assert (config.corpus, type(config.batch_size), config.tau) == (str(place / "corpus.jsonl"), int, 0.5)
    assert config.data_dir == place
    run = train(config, str(tmp_path / "run"), QUIET)
    assert Run.load(str(tmp_path / "run")).config == Run.load(Place()).config == run.config
    assert resume(str(tmp_path / "run")).config == run.config
    assert train_or_resume(config, Place(), QUIET).config == run.config
    assert Classifier.load(Place()).labels == ("no", "yes")
    load_agent(str(tmp_path / "run"))
    load_agent(tmp_path / "run" / "agent.safetensors")
    assert "yes" in make_report([Place()], "test", QUIET)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("corpus", 3),
        ("reward", []),
        ("agent", None),
        ("vectors", "a\0b"),
        ("reward_parameters", [1]),
        ("model_parameters", {"hidden_size": 10**400}),
        ("warm_epochs", 1.5),
        ("batch_size", True),
        pytest.param("batch_size", 10**5000, id="huge"),
        ("reward_dropout", 1),
        ("clip_norm", float("nan")),
    ],
)
def test_a_field_of_the_wrong_type_is_named(field, value):
    name = next(iter(value)) if isinstance(value, dict) else field
    with pytest.raises(HsEnvError, match=name):
        ResolvedConfig.from_json(CONFIG.resolve().to_json() | {field: value})


# Two processes, and links


def test_a_second_process_waits_for_the_plain_lstm(copy, monkeypatch):
    shutil.rmtree(copy / "plain_lstm")
    (copy / "plain_lstm").mkdir()
    shown, done = io.StringIO(), threading.Event()
    code = (
        "import sys, pathlib; from hs_env.training.folders import alone\n"
        "with alone(pathlib.Path(sys.argv[1])): print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(copy / "plain_lstm")]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdin is not None
    assert other.stdout.readline() == "locked\n"

    def evaluate() -> None:
        compare(Run.load(copy), "test", Console(file=shown, width=1000))
        done.set()

    thread = threading.Thread(target=evaluate)
    thread.start()
    assert not done.wait(3)
    other.communicate("")
    thread.join(60)
    assert done.is_set()
    assert "Another process trains in" in shown.getvalue()
    assert (copy / "plain_lstm" / "history.json").exists(), shown.getvalue()


def test_links_are_not_followed(copy, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "record.json").write_text("mine")
    (outside / "file").write_text("mine")
    for name in (".evaluation-dev.json.tmp", "evaluation-dev.json", "evaluation-dev.csv"):
        (copy / name).symlink_to(outside / "file")
    shutil.rmtree(copy / "plain_lstm")
    (copy / "plain_lstm").symlink_to(outside, target_is_directory=True)
    shown = io.StringIO()
    compare(Run.load(copy), "dev", Console(file=shown, width=1000))
    assert "plain_lstm is a link" in shown.getvalue()
    assert not (copy / "evaluation-dev.json").is_symlink()
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"record.json": "mine", "file": "mine"}
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".lock").symlink_to(outside / "file")
    with pytest.raises(HsEnvError, match="is a link"), alone(tmp_path / "new"):
        raise AssertionError("a link was followed")
    assert (outside / "file").read_text() == "mine"


def test_a_run_killed_before_its_configuration_was_written(place, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "record.json").write_text("[]")
    (folder / ".lock").touch()
    with pytest.raises(HsEnvError, match=r"nothing has been trained. Start it again in the same folder, with --out"):
        resume(folder)
    config = replace(CONFIG, corpus=place / "corpus.jsonl", vectors="random:3")
    assert train(config, folder, QUIET).folder == folder


# Messages


def test_a_full_disk_is_named_with_the_file(place, tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("hs_env.training.trainer._check_saving", lambda *_: None)  # which writes elsewhere
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/run/record.json'"):
        train(replace(CONFIG, corpus=place / "corpus.jsonl", vectors="random:3"), tmp_path / "run", QUIET)


def test_a_file_that_is_no_run_is_named(tmp_path):
    (tmp_path / "model.zip").write_bytes(b"PK\x03\x04rest")
    for load in (Run.load, Classifier.load, load_agent):
        with pytest.raises(HsEnvError, match="is a zip archive, such as a model of Stable-Baselines3"):
            load(tmp_path / "model.zip")
    with pytest.raises(HsEnvError, match="it does not exist"):
        Run.load(tmp_path / "none")


def test_an_unknown_split_is_named_with_the_known_ones(place):
    with pytest.raises(HsEnvError, match=r"Unknown split 'validation'.*dev, test, train"):
        compare(Run.load(place / "run"), "validation", QUIET)


def test_errors_in_names_come_before_the_data_is_loaded(tmp_path):
    for wrong, message in (({"reward": "nope"}, "Unknown reward"), ({"warm_start": "nope"}, "nope")):
        with pytest.raises(HsEnvError, match=message):
            train(replace(CONFIG, corpus="missing.jsonl", **wrong), tmp_path / "run", QUIET)


# Runs of strangers


STRANGER = """
from pathlib import Path
from hs_env.rewards import LogLikelihood
Path("imported").touch()
class Mine(LogLikelihood):
    pass
"""


def test_a_strangers_code_is_not_executed(place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "stranger.py").write_text(STRANGER)
    config = replace(CONFIG, corpus=place / "corpus.jsonl", vectors="random:3", reward="stranger:Mine")
    said = train_almost_to_the_end(config, tmp_path / "run")  # what the user configures is trusted
    assert said.strip().endswith("--trust")
    (tmp_path / "imported").unlink()
    sys.modules.pop("stranger")
    with pytest.raises(HsEnvError, match=r"code outside of hs-env: the reward 'stranger:Mine'.*--trust"):
        resume(tmp_path / "run", QUIET)
    with pytest.raises(SystemExit):
        cli.main(["train", "--resume", str(tmp_path / "run")])
    assert not (tmp_path / "imported").exists()
    assert resume(tmp_path / "run", QUIET, trust=True).config.reward == "stranger:Mine"
    sys.modules.pop("stranger")
    (tmp_path / "imported").unlink()
    compare(resume(tmp_path / "run", QUIET), "test", QUIET)  # a finished run executes nothing
    run = str(tmp_path / "run")
    for arguments in (["demo", run], ["train", "--init-from", run], ["tune", "--init-from", run]):
        with pytest.raises(SystemExit):
            cli.main([*arguments, "--out", str(tmp_path / "out")])
        assert "the reward 'stranger:Mine'" in capsys.readouterr().err
    assert not (tmp_path / "imported").exists()


def test_shapes_are_compared_before_a_model_is_built(copy, monkeypatch):
    path = copy / "classifier.safetensors"
    state = load_state(path, "classifier")
    fill = torch.Tensor.uniform_

    def without_memory(tensor: torch.Tensor, *arguments: float) -> torch.Tensor:
        assert tensor.device.type == "meta"
        return fill(tensor, *arguments)

    monkeypatch.setattr(torch.Tensor, "uniform_", without_memory)
    for size in (6000, 10**7, 10**12, 10**400, 0, -1, 2.5, "x", [4], None):
        save_state(path, "classifier", state | {"config": state["config"] | {"hidden_size": size}})
        with pytest.raises(HsEnvError, match="does not fit its own description"):
            Classifier.load(copy)


@pytest.mark.parametrize("field", ["words", "labels", "tokenisation", "notes", "config", "weights", "model"])
def test_a_value_of_the_wrong_type_in_a_classifier_is_refused(field, copy):
    path = copy / "classifier.safetensors"
    state = load_state(path, "classifier")
    for value in ({"a": 1}, [[1]], 3, None, "x"):
        save_state(path, "classifier", state | {field: value})
        if field == "notes" and isinstance(value, dict):
            continue
        with pytest.raises(HsEnvError):
            Classifier.load(copy)


def test_the_path_of_an_encoder_does_not_leave_the_folder(copy):
    path = copy / "classifier.safetensors"
    state = load_state(path, "classifier")
    (copy / "encoder").mkdir()
    save_state(path, "classifier", state | {"contextual": "hf:./encoder/../../outside@1", "encoder": "x"})
    with pytest.raises(HsEnvError, match="cannot be computed"):
        Classifier.load(copy)


def test_a_flipped_bit_is_noticed(copy):
    path = copy / "agent.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(HsEnvError, match="damaged after it had been saved"):
        load_agent(path)


@pytest.mark.parametrize(
    "change",
    [
        {"progress": 3},
        {"progress": {"stage": "x"}},
        {"progress": {"stage": 99}},
        {"progress": {"history": [1]}},
        {"progress": {"sums": {"p_net/reward": "x"}}},
        {"best": []},
        {"learner": None},
        {"agent": {"pnet": {}}},
        {"data": [1]},
    ],
)
def test_a_wrong_value_in_a_checkpoint_is_one_error(change, place, tmp_path):
    train_almost_to_the_end(replace(CONFIG, corpus=place / "corpus.jsonl", vectors="random:3"), tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.safetensors"
    state = load_state(path, "checkpoint")
    if isinstance(change.get("progress"), dict):
        change = {"progress": state["progress"] | change["progress"]}
    save_state(path, "checkpoint", state | change)
    with pytest.raises(HsEnvError, match=r"checkpoint.safetensors is damaged|has changed since"):
        resume(tmp_path / "run", QUIET)


def test_a_wrong_value_in_an_optimiser_is_one_error(place, tmp_path):
    train_almost_to_the_end(replace(CONFIG, corpus=place / "corpus.jsonl", vectors="random:3"), tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.safetensors"
    for change in ({"exp_avg": torch.zeros(1, 1, 1)}, {"step": "x"}, {"exp_avg_sq": None}):
        state = load_state(path, "checkpoint")
        values = state["learner"]["optimizer"]["state"]
        values[next(iter(values))] |= change
        save_state(tmp_path / "run" / "changed.safetensors", "checkpoint", state)
        shutil.copytree(tmp_path / "run", tmp_path / "copy")
        (tmp_path / "copy" / "changed.safetensors").rename(tmp_path / "copy" / "checkpoint.safetensors")
        with pytest.raises(HsEnvError, match="is damaged or from another version"):
            resume(tmp_path / "copy", QUIET)
        shutil.rmtree(tmp_path / "copy")


def test_equal_runs_save_equal_bytes(place, tmp_path):
    config = replace(CONFIG, corpus=place / "corpus.jsonl", vectors=place / "vectors.txt")
    code = (
        "import sys; from hs_env.training import *; from hs_env.training.run import load_config; "
        "from rich.console import Console; train(load_config(sys.argv[1]), sys.argv[2], Console(quiet=True))"
    )
    subprocess.run([sys.executable, "-c", code, str(place / "run"), str(tmp_path / "one")], check=True)
    train(config, tmp_path / "two", QUIET)
    for name in ("classifier.safetensors", "agent.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


# Files of comparisons


def test_no_comparison_overwrites_another(copy):
    run = Run.load(copy)
    compare(run, "test", QUIET)
    own = (copy / "evaluation-test.json").read_bytes()
    compare(run, "test", QUIET, oracle=2, samples=2)
    every_k = make_baseline("every_k", run.classifier.vocabulary, run.classifier.model.problem)
    table = compare(replace(run, agent=every_k), "test", QUIET)
    assert table.rows[0].note == "EveryK, greedy"
    assert (copy / "evaluation-test.json").read_bytes() == own
    with_oracle = json.loads((copy / "evaluation-test-oracle2-samples2.json").read_text())
    assert {"oracle", "HS-LSTM"} <= {row["name"] for row in with_oracle["rows"]}
    assert json.loads((copy / "evaluation-test-EveryK.json").read_text())["rows"][0]["note"] == "EveryK, greedy"
