"""Training on several processes, with gloo on the CPU."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from hs_env import ranks
from hs_env.ranks import Share
from tests.training.ranked import CONFIGS

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
    for count, folder in folders.items():
        ends(start(count, "-m", "tests.training.ranked", str(folder), *CONFIGS))
    return folders


def differences(one: Any, two: Any, place: str = "") -> list[str]:
    """Where two states differ by more than 1e-5."""
    if isinstance(one, dict):
        assert one.keys() == two.keys(), place
        return [each for key in one for each in differences(one[key], two[key], f"{place}.{key}")]
    if isinstance(one, list | tuple):
        assert len(one) == len(two), place
        return [each for at in range(len(one)) for each in differences(one[at], two[at], f"{place}[{at}]")]
    if isinstance(one, torch.Tensor):
        return [] if torch.allclose(one, two, rtol=1e-5, atol=1e-5) else [f"{place}: {(one - two).abs().max()}"]
    return [] if one == (pytest.approx(two, rel=1e-4, abs=1e-5) if isinstance(one, float) else two) else [place]


@pytest.mark.parametrize("name", CONFIGS)
def test_two_processes_train_the_weights_of_one(trained: dict[int, Path], name: str) -> None:
    one, two = (torch.load(trained[count] / f"{name}.pt", weights_only=False) for count in (1, 2))
    assert not differences(one, two)
    first, last = one[0]["learner"]["fast"], one[-1]["learner"]["fast"]
    assert differences(first, last), "nothing was learned"
    if CONFIGS[name].resolve().agent == "reinforce":
        assert {entry["stage"] for entry in one} == {"warm", "pnet", "joint"}
        assert differences(one[0]["agent"]["pnet"], one[-1]["agent"]["pnet"]), "the policy has learned nothing"


def test_the_adaptive_weight_moves(trained: dict[int, Path]) -> None:
    states = torch.load(trained[2] / "adaptive.pt", weights_only=False)
    assert states[0]["reward"] != states[-1]["reward"]
