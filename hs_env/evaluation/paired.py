"""Compare two classifiers on the same sentences."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hs_env.metrics.bootstrap import Interval, difference
from hs_env.metrics.mcnemar import McNemar, mcnemar
from hs_env.metrics.predictions import Predictions


@dataclass(frozen=True, slots=True)
class Paired:
    """How two classifiers differ on the same sentences.

    Attributes:
        first: Name of the first classifier.
        second: Name of the second one.
        accuracy: Accuracy of the first less that of the second, with its paired bootstrap interval.
        test: McNemar's exact test.
    """

    first: str
    second: str
    accuracy: Interval
    test: McNemar

    @classmethod
    def of(cls, first: str, a: Predictions, second: str, b: Predictions) -> Paired:
        """Compare the predictions `a` of the classifier `first` with `b` of `second`."""
        return cls(first, second, difference(a, b), mcnemar(a, b))

    def __str__(self) -> str:
        gain, test = self.accuracy, self.test
        return (
            f"{self.first} less {self.second}: {100 * gain.value:+.1f} points of accuracy ({100 * gain.low:+.1f} to "
            f"{100 * gain.high:+.1f}, paired). Only {self.first} is right on {test.only_first:,} sentences, only "
            f"{self.second} on {test.only_second:,}: p = {test.p:.2g} (McNemar, exact)."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON values."""
        return asdict(self)
