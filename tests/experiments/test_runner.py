"""Processes of runs: they end with the command that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from hs_env.errors import HsEnvError
from hs_env.experiments.runner import RESULT, launch_here, run_here
from hs_env.storage import read_json
from hs_env.training import TrainConfig

ROOT = Path(__file__).parents[2]
CONFIG = TrainConfig(
    corpus="phrases:train=60,dev=10,test=10",
    model="plain_lstm",
    vectors="random:4",
    model_parameters={"hidden_size": 4},
    warm_epochs=100_000,
    patience=100_000,
    threads=1,
)
GRID = """
[settings]
vectors = "random:4"
model_parameters.hidden_size = 4
warm_epochs = 100000
patience = 100000
[corpora."phrases:train=60,dev=10,test=10"]
seeds = 1
[variants.plain_lstm]
model = "plain_lstm"
"""


def wait_for(folder: Path, pattern: str) -> None:
    end = time.monotonic() + 120
    while not [*folder.glob(pattern)]:
        assert time.monotonic() < end, f"{pattern} has not come"
        time.sleep(0.05)


def test_an_event_kills_the_process_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    stopped = threading.Event()
    stopped.set()
    ended = launch_here(CONFIG.resolve(), tmp_path / "run", stopped)
    assert ended.killed
    assert ended.result is None


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_to_a_sweep_stops_its_runs(number: int, status: int, tmp_path: Path) -> None:
    grid, out = tmp_path / "grid.toml", tmp_path / "out"
    grid.write_text(GRID)
    command = [sys.executable, "-m", "hs_env", "sweep", str(grid), "--out", str(out), "--jobs", "1"]
    given = os.environ | {"PYTHONPATH": str(ROOT)}
    sweep = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=given, start_new_session=True)
    wait_for(out, "cells/*/config.json")
    workers = psutil.Process(sweep.pid).children()
    sweep.send_signal(number)  # to this process alone
    errors = sweep.communicate(timeout=60)[1]
    assert sweep.returncode == status
    assert errors.endswith("Stopped. Repeat the command to continue.\n")
    assert [worker.is_running() for worker in workers] == [False]


@pytest.mark.slow
def test_a_training_that_is_told_to_end_says_how_to_resume(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hs_env", "train", "--corpus", CONFIG.corpus, "--model", "plain_lstm"]
    command += ["--vectors", "random:4", "--warm-epochs", "100000", "--patience", "100000", "--out", "run"]
    given = os.environ | {"PYTHONPATH": str(ROOT)}
    training = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=given, cwd=tmp_path)
    wait_for(tmp_path, "run/config.json")
    training.send_signal(signal.SIGTERM)
    errors = training.communicate(timeout=60)[1]
    assert training.returncode == 143
    assert errors.endswith("Stopped. Resume with: hs-env train --resume run\n")


@pytest.mark.parametrize("content", ["[]", "null", "{}", "{", '{"test": 1}'])
def test_a_damaged_result_of_a_run_is_named(content: str, tmp_path: Path) -> None:
    config = replace(CONFIG, warm_epochs=1, corpus="phrases:train=8,dev=4,test=4").resolve()
    run_here(config, tmp_path)
    (tmp_path / RESULT).write_text(content)
    with pytest.raises(HsEnvError, match=r"result.json is damaged. Remove it"):
        run_here(config, tmp_path)
    (tmp_path / RESULT).unlink()
    assert run_here(config, tmp_path)["test"]["sentences"] == 4


def test_the_processor_time_is_that_of_training_also_if_another_process_has_trained(tmp_path: Path) -> None:
    config = replace(CONFIG, warm_epochs=4, corpus="phrases:train=400,dev=4,test=4").resolve()
    first = run_here(config, tmp_path)["cpu_seconds"]
    (tmp_path / RESULT).unlink()
    trained = read_json(tmp_path / "history.json")["cpu_seconds"]
    assert trained < run_here(config, tmp_path)["cpu_seconds"] < 2 * first


@pytest.mark.skipif(sys.platform == "win32", reason="processes keep the number of a parent that has ended")
def test_a_run_ends_after_its_parent_was_killed(tmp_path: Path) -> None:
    code = f"""
import threading
from pathlib import Path
from hs_env.experiments.runner import launch_here
from tests.experiments.test_runner import CONFIG
launch_here(CONFIG.resolve(), Path({str(tmp_path / "run")!r}), threading.Event())
"""
    parent = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)})
    wait_for(tmp_path / "run", "config.json")
    (worker,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    assert worker.wait(timeout=60) in (None, -signal.SIGTERM)
    assert not worker.is_running()
