"""Bootstrap intervals: how much a metric would change with other sentences of the same kind.

Sentences are drawn with replacement. The 95% interval of a metric goes from the 2.5% to the 97.5% percentile of its
values on the resamples. The interval covers the choice of the sentences only, not the variation between training runs.

See Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
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
"""Quantiles at the ends of an interval."""

_BLOCK = 2**21
"""Number of sentences that are drawn at once. It bounds the memory and has no effect on the results."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The value of a metric and its 95% interval."""

    value: float
    low: float
    high: float


def resample(sentences: int, resamples: int, seed: int = 0) -> Iterator[IntArray]:
    """Draw resamples of N sentences out of N, with replacement.

    Args:
        sentences: Number of sentences, N.
        resamples: Number of resamples.
        seed: Seed of a generator that nothing else uses: the same N and seed give the same resamples.

    Yields:
        (block, N) int64 counts: how often each resample of the next block contains each sentence. Each row sums to N.

    Raises:
        HsEnvError: If there are no sentences, or no resamples.
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
    """Compute metrics and their intervals; metrics that do not apply are left out.

    Args:
        predictions: Predictions on N sentences.
        resamples: Number of resamples.
        seed: Seed of the resamples.
        metrics: Names of metrics, at least one of which applies; None is all of them.

    Returns:
        The interval of each metric by its name.

    Raises:
        HsEnvError: If a metric is unknown, or none applies.
    """
    known = metrics_of(predictions)
    wanted = list(known if metrics is None else metrics)
    for name in wanted:
        if name not in known:
            raise unknown_name("metric", name, known)
    tables = {name: table for name in wanted if (table := known[name].statistics(predictions)) is not None}
    if not tables:
        raise HsEnvError(f"None of the metrics applies to these predictions: {', '.join(wanted) or 'no name given'}.")
    ends = np.cumsum([table.shape[1] for table in tables.values()])[:-1]

    def values(sums: FloatArray) -> FloatArray:
        """Return the (resamples, metrics) values for the (resamples, columns) sums of all statistics."""
        parts = zip(tables, np.split(sums, ends, axis=1), strict=True)
        return np.stack([known[name].value(part) for name, part in parts], axis=1)

    found = _bootstrap(np.hstack(list(tables.values())), values, resamples, seed)
    return dict(zip(tables, found, strict=True))


def difference(
    a: Predictions, b: Predictions, metric: str = "accuracy", resamples: int = 2000, seed: int = 0
) -> Interval:
    """Compute how much `a` exceeds `b` in a metric, paired: both on the same resamples of the same sentences.

    A sentence that is hard for both cancels out, so this interval is often narrower than those of `a` and `b` suggest.
    If it excludes 0, the difference is significant: the choice of the sentences alone does not explain it.

    Args:
        a: Predictions on N sentences.
        b: Predictions on the same sentences.
        metric: Name of the metric.
        resamples: Number of resamples.
        seed: Seed of the resamples.

    Raises:
        HsEnvError: If the sentences are not the same, or the metric is unknown or does not apply to both.
    """
    known = metrics_of(a) | metrics_of(b)
    if metric not in known:
        raise unknown_name("metric", metric, known)
    a.check_same(b, "A paired difference")
    left, right = known[metric].statistics(a), known[metric].statistics(b)
    if left is None or right is None:
        raise HsEnvError(f"The metric {metric!r} does not apply to both predictions. Choose one that does.")
    value, width = known[metric].value, left.shape[1]

    def values(sums: FloatArray) -> FloatArray:
        """Return the (resamples, 1) differences for the sums of both statistics."""
        return (value(sums[:, :width]) - value(sums[:, width:]))[:, None]

    return _bootstrap(np.hstack([left, right]), values, resamples, seed)[0]


def _bootstrap(
    statistics: FloatArray, values: Callable[[FloatArray], FloatArray], resamples: int, seed: int
) -> list[Interval]:
    """Compute percentile intervals.

    Args:
        statistics: (N, columns) statistics of each sentence.
        values: Function from (resamples, columns) sums of the statistics to (resamples, metrics) values.
        resamples: Number of resamples.
        seed: Seed of the resamples.

    Returns:
        One interval per metric.
    """
    sentences = len(statistics)
    point = values(np.ones((1, sentences)) @ statistics)[0]
    blocks = resample(sentences, resamples, seed)
    draws = np.concatenate([values(counts.astype(np.float64) @ statistics) for counts in blocks])
    low, high = np.quantile(draws, LEVELS, axis=0)
    return [Interval(*ends) for ends in zip(point.tolist(), low.tolist(), high.tolist(), strict=True)]
