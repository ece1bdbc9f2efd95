"""The campaigns of scripts/campaigns run, and a short form of the one on memory."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from tests.envs.builders import Problem

ROOT = Path(__file__).parents[2]
N = 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["equal", "soak"])
def test_a_campaign_finds_nothing(name: str, tmp_path: Path) -> None:
    script = ROOT / "scripts" / "campaigns" / f"{name}.py"
    ledger = tmp_path / "ledger.jsonl"
    done = subprocess.run(
        [sys.executable, script, "--times", "1", "--ledger", ledger],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{name}: 1 trials, 0 findings" in done.stdout
    assert not ledger.exists()


@pytest.mark.slow
@pytest.mark.parametrize("mode", AutoresetMode)
def test_memory_is_flat(problem: Problem, names: dict[str, Any], mode: AutoresetMode) -> None:
    envs = problem.vector(N, **names, autoreset_mode=mode, max_episode_steps=7)

    def use(steps: int) -> tuple[int, int]:
        for _ in range(steps):
            _, _, terminated, truncated, _ = envs.step(np.ones(N, np.int64))
            if mode == AutoresetMode.DISABLED and (done := terminated | truncated).any():
                envs.reset(options={"reset_mask": done, "text": "very good"})
        gc.collect()
        tensors = sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())
        return tensors, tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        envs.reset(seed=0)
        use(60)
        measured = [use(40) for _ in range(4)]
    finally:
        tracemalloc.stop()
    growths = [(later[0] - earlier[0], later[1] - earlier[1]) for earlier, later in pairwise(measured)]
    # A leak shows in every window. Caches that fill now and then, of this process or its libraries, do not.
    assert min(tensors for tensors, _ in growths) <= 5
    assert min(memory for _, memory in growths) < 8_000
