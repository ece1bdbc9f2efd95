"""Measure the yardsticks of the benchmarks, in the same process as the code that is compared with them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn


def median_seconds(call: Callable[[], Any], repeat: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the median time of a call in seconds of `clock`, after two warm-up calls."""
    times = []
    for number in range(repeat + 2):
        begun = clock()
        call()
        if number >= 2:
            times.append(clock() - begun)
    return statistics.median(times)


def gemm_rate(rows: int, inner: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the floating-point operations per second, by `clock`, of (rows, inner) @ (inner, 4 inner)."""
    left, right = torch.randn(rows, inner), torch.randn(inner, 4 * inner)
    return 8 * rows * inner * inner / median_seconds(lambda: left @ right, 50, clock)


def cell_calls(size: int) -> float:
    """Return the calls per second of `nn.LSTMCell(size, size)`, at batch size 1 in inference mode."""
    cell, x, state = nn.LSTMCell(size, size), torch.randn(1, size), (torch.zeros(1, size), torch.zeros(1, size))

    def calls() -> None:
        for _ in range(1000):
            cell(x, state)

    with torch.inference_mode():
        return 1000 / median_seconds(calls, 5)
