"""Estimate how long a run will take from here."""

from __future__ import annotations

import time
from collections.abc import Callable


class TimeLeft:
    """Estimates the time that the rest of a run takes, over all its stages.

    The speed is that of the current stage, evaluations included. Until it is known, and for later stages, it follows
    from the speed measured last and from the relative costs of the stages. No stage is assumed to end early.

    Args:
        clock: Function that returns a time in seconds.
        enough: Number of updates after which the speed of a stage is known.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, enough: int = 5) -> None:
        self._clock, self._enough = clock, enough
        self._unit: float | None = None
        self._begun, self._done, self._left, self._cost, self._later = clock(), 0, 0, 1.0, 0.0

    def begin(self, left: int, cost: float = 1.0, later: float = 0.0) -> None:
        """Begin or continue a stage.

        Args:
            left: Number of updates of this stage that are left.
            cost: Relative time of an update of this stage.
            later: Updates of all later stages, times their costs.
        """
        self._begun, self._done, self._left, self._cost, self._later = self._clock(), 0, left, cost, later

    def update(self) -> None:
        """Count an update."""
        self._done += 1
        if self._done >= self._enough:
            self._unit = (self._clock() - self._begun) / (self._done * self._cost)

    @property
    def seconds(self) -> float | None:
        """Estimated number of seconds, or None as long as no speed is known."""
        if self._unit is None:
            return None
        return self._unit * (self._cost * (self._left - self._done) + self._later)

    def __str__(self) -> str:
        """Return the estimate in words, or nothing."""
        if self.seconds is None:
            return ""
        minutes = round(self.seconds / 60)
        if self.seconds < 95:
            return f"about {max(round(self.seconds / 5) * 5, 5)} s left"
        return f"about {minutes} min left" if minutes < 100 else f"about {self.seconds / 3600:.1f} h left"
