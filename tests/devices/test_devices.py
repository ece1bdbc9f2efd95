"""The package computes the same on every device, and the default device of the host process does not matter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor

from hs_env.agents.sb3 import ALGORITHMS
from hs_env.problems import PROBLEMS, environment_id
from tests.devices.second_device import SECOND, SecondDevice
from tests.devices.uses import USES

SB3_USES = {f"agent {name}.v1" for name in ALGORITHMS}
"""Agents that explore by random numbers of their own device. A GPU's differ from those of the CPU."""


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Numbers, arrays and texts in nested results, with their places."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from flat(part, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from flat(part, f"{name}[{number}]")
    elif isinstance(value, Tensor):
        yield name, value.detach().cpu().numpy()
    elif isinstance(value, np.ndarray) and value.dtype == object:
        yield from flat(value.tolist(), name)
    else:
        yield name, value


def results(use: str, device: Any) -> list[tuple[str, Any]]:
    with TemporaryDirectory() as folder:
        return list(flat(list(USES[use](device, Path(folder)))))


@cache
def expected(use: str) -> list[tuple[str, Any]]:
    return results(use, "cpu")


def assert_close(found: list[tuple[str, Any]], wanted: list[tuple[str, Any]], tolerance: float) -> None:
    """Check that two lists of results are equal, texts exactly."""
    assert [name for name, _ in found] == [name for name, _ in wanted]
    for (name, one), (_, other) in zip(found, wanted, strict=True):
        if isinstance(one, str) or one is None:
            assert one == other, name
        else:
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("use", USES)
def test_the_default_device_of_the_host_does_not_matter(use: str) -> None:
    """On the device `meta` a tensor has no values: one that is made without a device fails at once."""
    wanted = expected(use)
    torch.set_default_device("meta")
    try:
        found = results(use, "cpu")
    finally:
        torch.set_default_device(None)
    assert_close(found, wanted, 0)


SLOW = {
    *("training id_lstm", "training hm_lstm", "language model lstm.v1", "language model hm_lstm.v1"),
    *("training h_net", "language model ln_lstm.v1", "router gumbel", "router spaces", "router random"),
}
"""Uses that are slow on the simulated device, and whose parts others use there."""


@pytest.mark.filterwarnings("ignore:You are trying to run:UserWarning")  # Stable-Baselines3 advises against a GPU
@pytest.mark.parametrize("use", [use for use in USES if use not in SLOW])
def test_nothing_mixes_devices(use: str) -> None:
    wanted = expected(use)
    with SecondDevice():
        found = results(use, SECOND)
    assert_close(found, wanted, 1e-4)


@pytest.mark.filterwarnings("ignore:You are trying to run:UserWarning")
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")
@pytest.mark.parametrize("use", USES)
def test_a_gpu_computes_what_the_cpu_does(use: str) -> None:
    found = results(use, "cuda")
    if use not in SB3_USES:
        assert_close(found, expected(use), 1e-4)


@pytest.mark.parametrize("problem", list(PROBLEMS))
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_no_step_of_tensors_waits_for_the_device(problem: str, mode: str) -> None:
    with SecondDevice() as second:
        env: Any = gymnasium.make_vec(environment_id(problem), 4, split="test", device=SECOND, autoreset_mode=mode)
        env.reset_tensors(seed=0)
        actions = torch.zeros(4, dtype=torch.int64, device=SECOND)
        checked = 0
        for _ in range(12):
            second.waits.clear()
            step = env.step_tensors(actions)
            assert step.observation.device == step.legal.device == step.reward.device == SECOND
            if step.ended is None:  # a reward may look at its values
                assert not second.waits
                checked += 1
    assert checked
