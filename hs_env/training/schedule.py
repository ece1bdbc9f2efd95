"""The learning rate over a run."""

from __future__ import annotations

from typing import Final

_SMALLEST: Final = 0.02
"""The learning rate at the end, as a share of that at the start."""


def decreasing_rate(rate: float, update: int, updates: int, share: float) -> float:
    """Return the learning rate of an update: constant, then decreasing linearly to 1/50.

    Args:
        rate: Learning rate at the start.
        update: Number of the update, from 0.
        updates: Number of updates in all.
        share: Share of the updates, at the end, in which the rate decreases; 0 keeps it constant.
    """
    decreasing = share * updates
    left = (updates - update) / decreasing if decreasing else 1.0
    return rate * min(1.0, _SMALLEST + (1 - _SMALLEST) * left)
