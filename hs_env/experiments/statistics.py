"""Statistics over runs: how much a score varies over seeds or folds, and whether two models differ significantly.

`hs_env.metrics.bootstrap` covers the variation over sentences, this module the variation over training runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hs_env.errors import HsEnvError, missing_extra
from hs_env.metrics.bootstrap import LEVELS, Interval

_EQUAL: Final = 1e-12  # differences of scores that are rounding errors

try:
    from scipy import special, stats
except ImportError as error:
    raise missing_extra("Statistics over runs", "analysis") from error

FloatArray = NDArray[np.float64]


def t_interval(values: Sequence[float], overlap: float = 0.0) -> Interval:
    """Compute the mean over runs and its 95% interval by Student's t; the interval is NaN for a single run.

    Args:
        values: Score of each run.
        overlap: For the folds of a cross-validation: ratio of test sentences to training sentences of a fold, otherwise
            0. Folds share training sentences, so they vary less than independent samples. To correct for this, the
            variance of the mean is that of a run times `1 / runs + overlap` (corrected resampled t-test, Nadeau and
            Bengio, Machine Learning 2003).

    Raises:
        HsEnvError: If there are no runs.
    """
    if not len(values):
        raise HsEnvError("A mean needs at least one run, got no runs.")
    mean, runs = float(np.mean(values)), len(values)
    if runs == 1:
        return Interval(mean, float("nan"), float("nan"))
    half = float(stats.t.ppf(LEVELS[1], runs - 1) * np.std(values, ddof=1) * (1 / runs + overlap) ** 0.5)
    return Interval(mean, mean - half, mean + half)


def are_equal(values: Sequence[float] | NDArray[np.float64]) -> bool:
    """Return whether values differ by no more than rounding."""
    return bool(np.ptp(values) < _EQUAL)


def paired_test(a: Sequence[float], b: Sequence[float], overlap: float = 0.0) -> tuple[Interval, float]:
    """Compare runs that are paired by seed or fold: the mean difference, and a two-sided paired t test.

    Args:
        a: Score of each run.
        b: Score of each run to compare with, in the same order of seeds or folds.
        overlap: See `t_interval`. Without it, the test over folds is too optimistic (Dietterich 1998).

    Returns:
        The mean of `a - b` with its 95% interval, and the p value. For a single pair, and if all pairs differ by the
        same, there is no p value (NaN). If all pairs are equal, it is 1.

    Raises:
        HsEnvError: If the numbers of runs differ.
    """
    if len(a) != len(b):
        raise HsEnvError(f"A paired test needs pairs, got {len(a)} and {len(b)} runs.")
    gain = np.subtract(a, b)
    interval = t_interval(gain.tolist(), overlap)
    if len(gain) == 1:
        return interval, float("nan")
    if are_equal(gain):
        return interval, float("nan") if np.abs(gain).max() >= _EQUAL else 1.0
    error = np.std(gain, ddof=1) * (1 / len(gain) + overlap) ** 0.5
    return interval, float(2 * stats.t.sf(abs(interval.value) / error, len(gain) - 1))


def detectable(deviation: float, runs: int, overlap: float = 0.0, power: float = 0.8) -> float:
    """Compute the smallest true mean difference that `paired_test` finds significant with probability `power`.

    The test statistic then follows a noncentral t distribution (Cohen, *Statistical Power Analysis*, 1988).

    Args:
        deviation: Standard deviation of the difference of a pair of runs, above 0.
        runs: Number of pairs; with fewer than 2 no difference can be detected, and the result is infinite.
        overlap: See `t_interval`.
        power: Wanted probability of p < 0.05.
    """
    if runs < 2:
        return float("inf")
    critical = stats.t.ppf(LEVELS[1], runs - 1)
    centre = special.nctdtrinc(runs - 1, 1 - power, critical)  # the other tail has a probability below 0.001
    return float(centre * deviation * (1 / runs + overlap) ** 0.5)


def runs_to_detect(difference: float, deviation: float, overlap: float = 0.0, most: int = 1000) -> int | None:
    """Compute how many pairs of runs detect a true mean difference with 80% power; None if more than `most`."""
    return next((runs for runs in range(2, most + 1) if detectable(deviation, runs, overlap) <= difference), None)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for multiple comparisons (Holm 1979). NaN stays NaN and is not counted as a comparison."""
    p = np.asarray(p_values, dtype=np.float64)
    order = [at for at in np.argsort(p, kind="stable").tolist() if not np.isnan(p[at])]
    adjusted, least = p.copy(), 0.0
    for rank, at in enumerate(order):
        least = max(least, min(1.0, float(p[at]) * (len(order) - rank)))
        adjusted[at] = least
    values: list[float] = adjusted.tolist()
    return values


def interquartile_mean(scores: FloatArray, resamples: int = 2000, seed: int = 0) -> Interval:
    """Compute the mean of the middle half of all scores and its 95% interval, as rliable does (Agarwal et al. 2021).

    The interval ignores that folds share training sentences.

    Args:
        scores: (runs, corpora) scores.
        resamples: Number of stratified bootstrap resamples: runs are drawn with replacement for each corpus separately.
        seed: Seed of the resamples.

    Raises:
        HsEnvError: If there are no scores.
    """
    runs, corpora = scores.shape
    if not scores.size:
        raise HsEnvError(f"An interquartile mean needs one run on one corpus or more, got {runs} on {corpora}.")
    drawn = np.random.default_rng(seed).integers(runs, size=(resamples, runs, corpora))
    samples = np.take_along_axis(np.broadcast_to(scores, drawn.shape), drawn, axis=1).reshape(resamples, -1)
    low, high = np.quantile(stats.trim_mean(samples, 0.25, axis=1), LEVELS)
    return Interval(float(stats.trim_mean(scores, 0.25, axis=None)), float(low), float(high))
