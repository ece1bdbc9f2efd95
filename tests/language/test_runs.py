"""Runs of language models: what they leave, that they learn, repeat and go on after a kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hs_env.errors import HsEnvError
from hs_env.language import LMConfig, LMRun, load_text, resume_lm, train_lm
from hs_env.language.run import LMTrainer
from hs_env.models.hm.layers import HMLSTM
from hs_env.storage import load_state
from hs_env.training.folders import begin_record
from hs_env.training.monitor import Monitor
from tests.language.builders import CONFIG, QUIET, write


def weights(run: LMRun) -> dict[str, Tensor]:
    return run.language_model.model.state_dict()


def assert_same(one: LMRun, two: LMRun) -> None:
    for name, value in weights(one).items():
        assert torch.equal(value, weights(two)[name]), name


def test_a_run_leaves_what_it_promises_and_repeats(finished: LMRun, tmp_path: Path) -> None:
    names = {path.name for path in finished.folder.iterdir()}
    assert {"config.json", "record.json", "history.json", "language_model.safetensors"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert [entry["updates"] for entry in finished.history] == [15, 30]
    assert finished.history[-1]["cpu_seconds"] > 0
    again = train_lm(finished.config, tmp_path / "again", QUIET)
    assert_same(finished, again)
    assert LMRun.load(finished.folder).config == finished.config


def test_a_killed_run_goes_on_bit_for_bit(text_file: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, text=str(text_file), boundary="sample", dropout=0.2, checkpoint_seconds=0.0)
    whole = train_lm(config, tmp_path / "whole", QUIET)
    options = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in config.to_json().items()
        if type(value) in (int, float, str)
    ]
    command = [sys.executable, "-m", "hs_env.cli", "lm", "train", *options, "--out", str(tmp_path / "killed")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    checkpoint = tmp_path / "killed" / "checkpoint.safetensors"
    while process.poll() is None:
        if checkpoint.exists() and load_state(checkpoint, "checkpoint of a language model")["progress"]["updates"] >= 4:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.005)
    process.wait()
    assert not (tmp_path / "killed" / "history.json").exists(), "the run was over before it was killed"
    with pytest.raises(HsEnvError, match="--resume"):
        LMRun.load(tmp_path / "killed")
    resumed = resume_lm(tmp_path / "killed", QUIET)
    assert_same(whole, resumed)
    assert len(json.loads((tmp_path / "killed" / "record.json").read_text())) == 2


@pytest.mark.parametrize("last", [0, 1, 15, 22, 30])
def test_a_stopped_run_goes_on_from_its_last_checkpoint(last: int, text_file: Path, tmp_path: Path) -> None:
    """The last checkpoint may be none, after the first update, an evaluation, any update, or all of them."""
    config = replace(CONFIG, text=str(text_file), core="lstm", stretch=300, dropout=0.2)  # epochs of 3 updates
    whole = train_lm(config, tmp_path / "whole", QUIET)
    stopped = LMTrainer(config, load_text(str(text_file)), tmp_path / "stopped", QUIET)
    begin_record(stopped.folder, config.to_json())
    with Monitor(stopped.folder, QUIET) as monitor:
        for update in range(last):
            stopped._update()
            stopped.progress.updates += 1
            if (update + 1) % config.evaluate_every == 0:
                stopped._score(monitor)
    if last:
        stopped.save_checkpoint()
    resumed = resume_lm(stopped.folder, QUIET)
    assert_same(whole, resumed)
    names = ("updates", "bits_per_character")
    assert [[entry[n] for n in names] for entry in whole.history] == [
        [entry[n] for n in names] for entry in resumed.history
    ]


@pytest.mark.parametrize(("core", "updates"), [("hm_lstm", 60), ("lstm", 200)])
def test_a_text_is_learnt_down_to_its_entropy_and_no_further(core: str, updates: int, tmp_path: Path) -> None:
    """Each third character is one of four at random, the rest is certain: 2/3 bits a character.

    A model that saw what it is to predict would come below.
    """
    generator = random.Random(0)
    path = write(tmp_path, "".join(generator.choice("abcd") + "- " for _ in range(4000)).encode())
    size = {"hidden_size": 16, "layers": 2, "updates": updates, "evaluate_every": 200, "learning_rate": 3e-2}
    run = train_lm(replace(CONFIG, text=str(path), core=core, **size), tmp_path / "run", QUIET)
    scores = run.evaluate("test")
    assert 0.66 < scores["bits_per_character"] < 0.72
    if core == "hm_lstm":
        for layer in (1, 2):
            assert sum(scores[f"{name}_{layer}"] for name in ("update", "copy", "flush")) == pytest.approx(1, abs=1e-5)
        assert scores["copy_1"] == scores["flush_2"] == 0


def test_a_gradient_that_is_not_finite_is_an_error(text_file: Path, tmp_path: Path) -> None:
    trainer = LMTrainer(replace(CONFIG, core="lstm"), load_text(str(text_file)), tmp_path, QUIET)
    with torch.no_grad():
        trainer.model.softmax.bias[0] = float("inf")
    with pytest.raises(HsEnvError, match="update 1 is not finite"):
        trainer._update()


def test_the_learning_rate_falls_to_a_fiftieth() -> None:
    config = LMConfig(updates=100, decay_share=0.5, learning_rate=1.0)
    assert [config.learning_rate_at(update) for update in (0, 50, 100)] == pytest.approx([1, 1, 0.02])
    assert replace(config, decay_share=0.0).learning_rate_at(99) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"core": "gru"}, "core must be"),
        ({"boundary": "hard"}, "one of step"),
        ({"layers": 1}, "layers"),
        ({"updates": 0}, "updates"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_impossible_configurations_are_refused(change: dict, message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        replace(CONFIG, **change)


def test_a_text_too_short_for_its_streams_is_refused(text_file: Path, tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match="Make batch_size or stretch smaller"):
        train_lm(replace(CONFIG, text=str(text_file), batch_size=5000), tmp_path / "run", QUIET)


def test_core_has_the_slope_of_its_epoch(finished: LMRun) -> None:
    core = finished.language_model.model.core
    assert isinstance(core, HMLSTM)
    assert 1.0 <= core.slope < 1.04
