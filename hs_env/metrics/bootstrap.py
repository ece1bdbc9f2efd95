"""Bootstrap intervals: how much a figure would change with other sentences of the same kind.

Sentences are drawn with replacement, and a figure's 95% interval goes from the 2.5% to the 97.5% percentile of its
values on the resamples (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13). The interval speaks
of the sentences alone: it does not know how much another training run would change the figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from hs_env.errors import HsEnvError
from hs_env.metrics.definitions import metrics_of
from hs_env.metrics.predictions import FloatArray, IntArray, Predictions
from hs_env.registry import unknown_name

LEVELS: Final = (0.025, 0.975)
"""Percentiles at the ends of an interval."""

_BLOCK = 2**21
"""Sentences drawn at once: bounds the memory, and changes no result."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95% interval."""

    value: float
    low: float
    high: float


def resample(sentences: int, resamples: int, seed: int = 0) -> Iterator[IntArray]:
    """Draw as many sentences as there are, with replacement, again and again.

    Args:
        sentences: N of them.
        resamples: How often.
        seed: Seed of a generator of its own: the same N and seed give the same resamples.

    Yields:
        (R, N) int64, how often each of the next R resamples has each sentence; every row sums to N.

    Raises:
        HsEnvError: If there is nothing to draw.
    """
    if sentences < 1 or resamples < 1:
        raise HsEnvError(f"Expected at least one resample of one sentence, got {resamples} of {sentences}.")
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // sentences)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(sentences, size=(rows, sentences))
        drawn += sentences * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)


def intervals(
    predictions: Predictions, resamples: int = 2000, seed: int = 0, metrics: Iterable[str] | None = None
) -> dict[str, Interval]:
    """Metrics of predictions with their intervals; those that do not apply are left out.

    Args:
        predictions: N sentences.
        resamples: Number of resamples.
        seed: Seed of the resamples.
        metrics: Names of metrics, at least one of which applies; None is all of them.
    """
    known = metrics_of(predictions)
    wanted = known if metrics is None else metrics
    tables = {name: table for name in wanted if (table := known[name].statistics(predictions)) is not None}
    ends = np.cumsum([table.shape[1] for table in tables.values()])[:-1]

    def values(sums: FloatArray) -> FloatArray:
        """(R, metrics) values of the sums of all statistics."""
        parts = zip(tables, np.split(sums, ends, axis=1), strict=True)
        return np.stack([known[name].value(part) for name, part in parts], axis=1)

    found = _bootstrap(np.hstack(list(tables.values())), values, resamples, seed)
    return dict(zip(tables, found, strict=True))


def difference(
    a: Predictions, b: Predictions, metric: str = "accuracy", resamples: int = 2000, seed: int = 0
) -> Interval:
    """How much `a` is above `b` in a metric, paired: both on the same resamples of the same sentences.

    What makes a sentence hard is hard for both and cancels, so that this interval is often narrower than the intervals
    of the two suggest. It leaves out 0 where one of them is better by more than the choice of sentences explains.

    Args:
        a: N sentences.
        b: The same sentences.
        metric: Name of the metric.
        resamples: Resamples to draw.
        seed: Seed of the resamples.

    Raises:
        HsEnvError: If the sentences are not the same, or the metric is unknown or does not apply to both.
    """
    known = metrics_of(a)
    if metric not in known:
        raise unknown_name("metric", metric, known)
    if not (np.array_equal(a.labels, b.labels) and np.array_equal(a.lengths, b.lengths)):
        raise HsEnvError(f"A paired difference needs the same sentences, got different ones, {len(a)} and {len(b)}.")
    left, right = known[metric].statistics(a), known[metric].statistics(b)
    if left is None or right is None:
        raise HsEnvError(f"The metric {metric!r} does not apply to both predictions. Choose one that does.")
    value, width = known[metric].value, left.shape[1]

    def values(sums: FloatArray) -> FloatArray:
        """(R, 1) differences."""
        return (value(sums[:, :width]) - value(sums[:, width:]))[:, None]

    return _bootstrap(np.hstack([left, right]), values, resamples, seed)[0]


def _bootstrap(
    statistics: FloatArray, values: Callable[[FloatArray], FloatArray], resamples: int, seed: int
) -> list[Interval]:
    """Percentile intervals of the M figures that `values` makes, (R, M), of sums of the (N, K) statistics."""
    sentences = len(statistics)
    point = values(np.ones((1, sentences)) @ statistics)[0]
    blocks = resample(sentences, resamples, seed)
    draws = np.concatenate([values(counts.astype(np.float64) @ statistics) for counts in blocks])
    low, high = np.quantile(draws, LEVELS, axis=0)
    return [Interval(*ends) for ends in zip(point.tolist(), low.tolist(), high.tolist(), strict=True)]
