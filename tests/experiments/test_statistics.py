"""Statistics over runs, against values that others have worked out or that follow by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hs_env.errors import HsEnvError
from hs_env.experiments.power import _power
from hs_env.experiments.statistics import (
    detectable,
    holm,
    interquartile_mean,
    paired_test,
    runs_to_detect,
    t_interval,
)


def test_t_interval_of_a_textbook() -> None:
    """Student's sleep data, drug 2 less drug 1: mean 1.58, 95% interval 0.7001142 to 2.4598858 (R, `t.test`)."""
    one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    two = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    gain, p = paired_test(two, one)
    assert (gain.value, gain.low, gain.high) == pytest.approx((1.58, 0.7001142, 2.4598858), abs=1e-6)
    assert p == pytest.approx(0.002833, abs=1e-6)
    back, same = paired_test(one, two)
    assert (back.value, back.low, back.high, same) == pytest.approx((-gain.value, -gain.high, -gain.low, p))


@pytest.mark.parametrize("runs", [3, 10])
def test_a_detectable_difference_is_found_in_four_of_five_experiments(runs: int) -> None:
    difference = detectable(1.0, runs)
    drawn = np.random.default_rng(0).normal(difference, 1.0, size=(20_000, runs))
    p = stats.ttest_1samp(drawn, 0, axis=1).pvalue
    assert (p < 0.05).mean() == pytest.approx(0.8, abs=0.01)


def test_detectable_differences_of_a_textbook() -> None:
    """A paired t test finds a difference of one standard deviation with ten pairs (G*Power: power 0.803)."""
    assert runs_to_detect(1.0, 1.0) == 10
    assert detectable(2.0, 10) == pytest.approx(2 * detectable(1.0, 10))
    assert detectable(1.0, 10, overlap=0.1) == pytest.approx(2**0.5 * detectable(1.0, 10))
    assert detectable(1.0, 1) == math.inf
    assert runs_to_detect(0.1, 1.0, overlap=1.0) is None


def test_of_one_run_there_is_no_interval() -> None:
    only = t_interval([0.8])
    assert only.value == 0.8
    assert math.isnan(only.low)
    assert math.isnan(only.high)
    assert math.isnan(paired_test([0.8], [0.7])[1])


def test_equal_runs_do_not_differ() -> None:
    assert paired_test([0.5, 0.6], [0.5, 0.6])[1] == 1
    assert math.isnan(paired_test([0.75, 0.5], [0.5, 0.25])[1])  # always by a quarter: t is infinite
    assert math.isnan(paired_test([0.81, 0.82, 0.83], [0.80, 0.81, 0.82])[1])  # and here but for rounding


def test_folds_vary_less_than_fresh_runs_would() -> None:
    """Nadeau and Bengio (2003): the variance of the mean is that of a run times 1/J + n_test/n_train."""
    one, two = [0.70, 0.72, 0.74, 0.73], [0.75, 0.76, 0.79, 0.77]
    gain, p = paired_test(two, one)
    wide, more = paired_test(two, one, overlap=1 / 8)
    assert wide.value == gain.value
    assert (wide.high - wide.low) / (gain.high - gain.low) == pytest.approx(((1 / 4 + 1 / 8) / (1 / 4)) ** 0.5)
    # gains 0.05, 0.04, 0.05, 0.04: t = 0.045 / sqrt(1e-4 / 3 * 3 / 8) = 12.7279 with 3 degrees of freedom (R: 2 * pt)
    assert more == pytest.approx(0.001049, abs=1e-5)
    assert p < more


def test_what_cannot_be_paired_is_refused() -> None:
    with pytest.raises(HsEnvError, match="2 and 1 runs"):
        paired_test([0.5, 0.6], [0.5])
    with pytest.raises(HsEnvError, match="no runs"):
        t_interval([])


def test_holm() -> None:
    """R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") is 0.03 0.06 0.06 0.02."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == [1, 1]
    some = holm([0.02, math.nan, 0.01])
    assert some[::2] == pytest.approx([0.02, 0.02])
    assert math.isnan(some[1])
    assert holm([]) == []


def test_interquartile_mean_leaves_out_a_quarter_at_each_end() -> None:
    scores = np.array([[100.0, 1.0], [2.0, -50.0], [3.0, 4.0], [0.0, 5.0]])
    mean = interquartile_mean(scores, resamples=500)
    assert mean.value == np.mean([1, 2, 3, 4])
    drawn = np.random.default_rng(0).integers(4, size=(500, 4, 2))
    means = [np.sort(scores[each, np.arange(2)], axis=None)[2:6].mean() for each in drawn]
    assert (mean.low, mean.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))
    assert interquartile_mean(scores, resamples=500) == mean


def test_its_resamples_are_stratified() -> None:
    """Where every run of a corpus scores alike, no resample differs, however far apart the corpora are."""
    mean = interquartile_mean(np.tile([0.2, 0.5, 0.6, 0.9], (5, 1)), resamples=50)
    assert (mean.low, mean.value, mean.high) == pytest.approx((0.55, 0.55, 0.55))


def test_overlapping_folds_may_never_detect_a_point() -> None:
    def needed(deviation: float, shared: float) -> str:
        pairs = [[deviation, -deviation, 0.0]]
        return _power("mr", pairs, shared).needed

    assert needed(0.0138, 0.125) == "none suffices"
    assert needed(0.9, 0.0) == "over 1,000"
    assert needed(0.01, 0.0) == str(runs_to_detect(0.01, 0.01))
