"""Statistics over runs: how much a figure would change with other seeds or folds, and whether two models differ.

`hs_env.metrics.bootstrap` speaks of the sentences; this module speaks of training runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from hs_env.errors import HsEnvError
from hs_env.metrics.bootstrap import LEVELS, Interval

FloatArray = NDArray[np.float64]


def t_interval(values: Sequence[float], overlap: float = 0.0) -> Interval:
    """The mean of runs and its 95% interval by Student's t, which of a single run is not a number.

    Args:
        values: A figure of each run.
        overlap: Of folds of a cross-validation, whose training sentences overlap so that they vary less than fresh
            ones would: test sentences by training sentences of a fold. The variance of the mean is then that of a run
            times `1 / runs + overlap` (the corrected resampled t-test of Nadeau and
            Bengio, Machine Learning 2003).
    """
    if not len(values):
        raise HsEnvError("There is no mean of no runs.")
    mean, runs = float(np.mean(values)), len(values)
    if runs == 1:
        return Interval(mean, float("nan"), float("nan"))
    half = float(stats.t.ppf(LEVELS[1], runs - 1) * np.std(values, ddof=1) * (1 / runs + overlap) ** 0.5)
    return Interval(mean, mean - half, mean + half)


def paired_test(a: Sequence[float], b: Sequence[float], overlap: float = 0.0) -> tuple[Interval, float]:
    """How much `a` is above `b`, run by run of the same seed or fold, and the p value of the two-sided paired t test.

    Args:
        a: A figure of each run.
        b: The same of the runs to compare with.
        overlap: See `t_interval`; over folds the test is otherwise optimistic (Dietterich 1998).

    Returns:
        The mean difference with its 95% interval; and p, which is not a number for a single pair, and 1 if the two are
        equal in every run.

    Raises:
        HsEnvError: If the numbers of runs differ.
    """
    if len(a) != len(b):
        raise HsEnvError(f"A paired test needs pairs, got {len(a)} and {len(b)} runs.")
    gain = np.subtract(a, b)
    interval = t_interval(gain.tolist(), overlap)
    if len(gain) == 1:
        return interval, float("nan")
    if np.ptp(gain) == 0:
        return interval, 0.0 if gain.any() else 1.0
    error = np.std(gain, ddof=1) * (1 / len(gain) + overlap) ** 0.5
    return interval, float(2 * stats.t.sf(abs(interval.value) / error, len(gain) - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """p values adjusted for as many comparisons (Holm 1979); one that is not a number stays so and does not count."""
    p = np.asarray(p_values, dtype=np.float64)
    order = [at for at in np.argsort(p, kind="stable").tolist() if not np.isnan(p[at])]
    adjusted, least = p.copy(), 0.0
    for rank, at in enumerate(order):
        least = max(least, min(1.0, float(p[at]) * (len(order) - rank)))
        adjusted[at] = least
    values: list[float] = adjusted.tolist()
    return values


def interquartile_mean(scores: FloatArray, resamples: int = 2000, seed: int = 0) -> Interval:
    """The mean of the middle half of all scores, with its 95% interval, as rliable has it (Agarwal et al. 2021).

    Args:
        scores: (runs, corpora). That folds share training sentences is left out of account.
        resamples: Bootstrap resamples, stratified: the runs of each corpus are drawn with replacement by themselves.
        seed: Of the resamples.
    """
    runs, corpora = scores.shape
    if not scores.size:
        raise HsEnvError(f"There is no interquartile mean of {runs} runs on {corpora} corpora.")
    drawn = np.random.default_rng(seed).integers(runs, size=(resamples, runs, corpora))
    samples = np.take_along_axis(np.broadcast_to(scores, drawn.shape), drawn, axis=1).reshape(resamples, -1)
    low, high = np.quantile(stats.trim_mean(samples, 0.25, axis=1), LEVELS)
    return Interval(float(stats.trim_mean(scores, 0.25, axis=None)), float(low), float(high))
