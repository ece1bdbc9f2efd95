"""Training on several processes, with gloo on the CPU."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from hs_env import ranks
from hs_env.compute import uniform
from hs_env.ranks import Share
from hs_env.training import TrainConfig, resume, train
from hs_env.training.stages import CHECKPOINT
from tests.training.ranked import CONFIGS, REFUSED, main

ROOT = Path(__file__).parents[2]


def start(count: int, *command: str) -> list[subprocess.Popen[str]]:
    """Start connected processes, as torchrun does."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    place = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1"}
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    return [
        subprocess.Popen(
            [sys.executable, *command],
            env=os.environ | place | path | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
        )
        for rank in range(count)
    ]


def ends(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Wait for processes that succeed; returns what they have printed."""
    shown = [process.communicate(timeout=240)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), "\n".join(shown)
    return shown


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Weights of all configurations, trained by 1 and by 2 processes."""
    folders = {count: tmp_path_factory.mktemp(f"ranks{count}") for count in (1, 2)}
    main(folders[1], *CONFIGS)
    ends(start(2, "-m", "tests.training.ranked", str(folders[2]), *CONFIGS, *REFUSED))
    return folders


def differences(one: Any, two: Any, place: str = "") -> list[str]:
    """Where two states differ by more than 1e-5; the averages of optimisers have other scales and are left out."""
    if isinstance(one, Mapping):
        assert one.keys() == two.keys(), place
        return [
            each for key in one.keys() - {"optimizer"} for each in differences(one[key], two[key], f"{place}.{key}")
        ]
    if isinstance(one, list | tuple):
        assert len(one) == len(two), place
        return [each for at in range(len(one)) for each in differences(one[at], two[at], f"{place}[{at}]")]
    if isinstance(one, torch.Tensor):
        return [] if torch.allclose(one, two, rtol=1e-5, atol=1e-5) else [f"{place}: {(one - two).abs().max()}"]
    return [] if one == (pytest.approx(two, rel=1e-4, abs=1e-5) if isinstance(one, float) else two) else [place]


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_two_processes_train_the_weights_of_one(trained: dict[int, Path], name: str) -> None:
    one, two = (torch.load(trained[count] / f"{name}.pt", weights_only=False) for count in (1, 2))
    assert not differences(one, two)
    first, last = one[0]["learner"]["fast"], one[-1]["learner"]["fast"]
    assert differences(first, last), "nothing was learned"
    if CONFIGS[name].resolve().agent == "reinforce":
        assert {entry["stage"] for entry in one} == {"warm", "pnet", "joint"}
        assert differences(one[0]["agent"]["pnet"], one[-1]["agent"]["pnet"]), "the policy has learned nothing"


@pytest.mark.slow
def test_the_adaptive_weight_moves(trained: dict[int, Path]) -> None:
    states = torch.load(trained[2] / "adaptive.pt", weights_only=False)
    assert states[0]["reward"] != states[-1]["reward"]


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_agents_that_cannot_share_say_which_can(trained: dict[int, Path], name: str) -> None:
    message = (trained[2] / f"{name}.txt").read_text()
    assert "cannot train on 2 processes. The agent 'reinforce' with the estimators rloo" in message


@pytest.mark.slow
def test_a_killed_process_ends_all_and_one_process_resumes_the_run(tmp_path: Path) -> None:
    config = TrainConfig(
        corpus="phrases:train=400,dev=20,test=20",
        vectors="random:6",
        model_parameters={"hidden_size": 8},
        warm_epochs=2,
        pnet_epochs=1,
        joint_epochs=1,
        threads=1,
    )
    options = ["--vectors", "random:6", "--hidden-size", "8", "--threads", "1"]
    epochs = ["--warm-epochs", "2", "--pnet-epochs", "1", "--joint-epochs", "1"]
    killed = tmp_path / "killed"
    processes = start(2, "-m", "hs_env", "train", "--corpus", config.corpus, *options, *epochs, "--out", str(killed))
    until = time.monotonic() + 200
    while not (killed / CHECKPOINT).exists() and time.monotonic() < until:
        time.sleep(0.02)
    processes[1].send_signal(signal.SIGKILL)
    shown = processes[0].communicate(timeout=100)[0]
    processes[1].communicate()
    assert processes[0].returncode == 1
    assert "Traceback" not in shown
    assert shown.count("hs-env: Another process of this training has ended. Resume under torchrun") == 1
    assert f"hs-env train --resume {killed}" in shown
    resumed = resume(killed, Console(quiet=True))
    whole = train(config, tmp_path / "whole", Console(quiet=True))
    assert len(resumed.history) == len(whole.history)
    assert not differences(resumed.classifier.model.state_dict(), whole.classifier.model.state_dict())


def test_shares_cover_a_batch_and_draw_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "count", lambda: 3)
    lengths = torch.tensor([2, 5, 1, 3, 5, 4, 2])
    generator = torch.Generator().manual_seed(0)
    words = torch.rand(int(lengths.sum()), 2, generator=generator)
    parts = [Share(lengths, torch.arange(len(lengths))[rank::3]) for rank in range(3)]
    assert sum(part.weight for part in parts) == pytest.approx(1)
    numbers = torch.arange(len(lengths)).repeat_interleave(lengths)
    for part in parts:
        mine = torch.isin(numbers, part.rows)
        with ranks.within(part):
            drawn = ranks.drawn(
                lambda shape: torch.rand(shape, generator=torch.Generator().manual_seed(0)),
                (int(mine.sum()), 2),
                "words",
            )
        assert torch.equal(drawn, words[mine])
        ordered = part.longest_first()
        assert torch.equal(ordered.lengths, lengths.sort(descending=True).values)
        assert torch.equal(ordered.lengths[ordered.rows], lengths[part.rows].sort(descending=True).values)


def test_numbers_that_belong_to_no_row_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "count", lambda: 2)
    share = Share(torch.tensor([2, 3]), torch.tensor([0]))
    with ranks.within(share), pytest.raises(ValueError, match="cannot train on 2 processes"):
        uniform((3, 4), torch.Generator(), torch.device("cpu"))
