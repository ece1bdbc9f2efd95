"""McNemar's exact test: does one classifier make fewer mistakes than another on the same sentences?"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, fsum, lgamma, log

from hs_env.metrics.predictions import Predictions


@dataclass(frozen=True, slots=True)
class McNemar:
    """Result of the test.

    Attributes:
        only_first: Number of sentences that only the first classifier gets right.
        only_second: Number of sentences that only the second one gets right.
        p: Two-sided p-value of the hypothesis that both are equally likely.
    """

    only_first: int
    only_second: int
    p: float


def mcnemar(first: Predictions, second: Predictions) -> McNemar:
    """Test whether two classifiers have the same accuracy (McNemar 1947, exact binomial form).

    Raises:
        HsEnvError: If the predictions are of different sentences.
    """
    first.check_same(second, "McNemar's test")
    right, other = first.classes == first.labels, second.classes == second.labels
    b, c = int((right & ~other).sum()), int((other & ~right).sum())
    return McNemar(b, c, _binomial_test(min(b, c), b + c))


def _binomial_test(successes: int, trials: int) -> float:
    """Return the two-sided p-value of at most half as many successes as trials, each with probability 1/2."""
    logs = (lgamma(trials + 1) - lgamma(k + 1) - lgamma(trials - k + 1) for k in range(successes + 1))
    return min(1.0, 2 * fsum(exp(each - trials * log(2)) for each in logs))
