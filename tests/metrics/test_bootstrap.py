"""Bootstrap intervals: coverage, degenerate cases, determinism, pairing, speed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from hs_env.errors import HsEnvError
from hs_env.metrics import CLASSIFICATION, DETAILS, bootstrap
from hs_env.metrics.bootstrap import Interval, difference, intervals, resample
from hs_env.metrics.predictions import Predictions
from tests.metrics.builders import METRICS

Simulate = Callable[..., Predictions]

COVERAGE = 3.5 * (0.95 * 0.05 / 400) ** 0.5
"""How far the coverage of 400 intervals may be from 95%: three standard deviations, and a little for small samples."""


def flat(right: NDArray[np.bool_]) -> Predictions:
    """Confident predictions of a flat model on one-word sentences of class 0."""
    labels = np.zeros(len(right), np.int64)
    return Predictions(labels, np.where(right[:, None], [-0.1, -2.4], [-2.4, -0.1]), labels + 1)


def test_resamples_are_draws_with_replacement() -> None:
    (counts,) = resample(50, 4000, seed=2)
    assert counts.shape == (4000, 50)
    assert (counts.sum(1) == 50).all()
    np.testing.assert_allclose(counts.mean(0), 1, atol=5 * (1 / 4000) ** 0.5)
    assert counts.var() == pytest.approx(1 - 1 / 50, rel=0.02)
    assert (counts == 0).mean() == pytest.approx((1 - 1 / 50) ** 50, rel=0.02)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, predictions: Predictions) -> None:
    expected, (counts,) = intervals(predictions, 101), resample(len(predictions), 101)
    monkeypatch.setattr(bootstrap, "_BLOCK", 7 * len(predictions))
    blocks = list(resample(len(predictions), 101))
    assert [len(block) for block in blocks] == [7] * 14 + [3]
    np.testing.assert_array_equal(np.concatenate(blocks), counts)
    for name, interval in intervals(predictions, 101).items():
        assert (interval.low, interval.high) == pytest.approx((expected[name].low, expected[name].high), abs=1e-12)


def test_intervals_are_percentiles_of_the_metrics(predictions: Predictions) -> None:
    found = intervals(predictions, 300, seed=5)
    assert list(found) == list(METRICS)
    (counts,) = resample(len(predictions), 300, seed=5)
    for name, metric in METRICS.items():
        values, point = metric(predictions, counts), metric(predictions)
        assert values is not None
        assert found[name].value == pytest.approx(point)
        assert [found[name].low, found[name].high] == pytest.approx(np.percentile(values, [2.5, 97.5]))


def test_the_seed_decides(predictions: Predictions) -> None:
    assert intervals(predictions, 200, seed=1) == intervals(predictions, 200, seed=1)
    assert intervals(predictions, 200, seed=1) != intervals(predictions, 200, seed=2)


def test_only_what_applies() -> None:
    expected = [metric.column.name for metric in (*CLASSIFICATION, *DETAILS)]
    assert list(intervals(flat(np.array([True, False])), 10)) == expected


def test_all_correct_and_one_sentence(simulate: Simulate) -> None:
    for right in (np.ones(40, bool), np.ones(1, bool)):
        found = intervals(flat(right))
        assert found["accuracy"] == found["macro_f1"] == Interval(1, 1, 1)
    for interval in intervals(simulate(1)).values():
        assert interval.low == interval.value == interval.high


def test_coverage_of_accuracy() -> None:
    """95% intervals of 400 simulated splits hold the true accuracy about 95% of the time."""
    generator = np.random.default_rng(0)
    found = [intervals(flat(generator.random(150) < 0.8), 400)["accuracy"] for _ in range(400)]
    assert np.mean([interval.low <= 0.8 <= interval.high for interval in found]) == pytest.approx(0.95, abs=COVERAGE)


def test_coverage_of_a_paired_difference() -> None:
    """Two models that share 60% of their luck, 5% apart."""
    generator = np.random.default_rng(1)

    def draw() -> Interval:
        shared, luck = generator.random(150) < 0.6, generator.random((3, 150))
        a, b = (np.where(shared, luck[2], luck[k]) < p for k, p in ((0, 0.8), (1, 0.75)))
        return difference(flat(a), flat(b), resamples=400)

    held = [interval.low <= 0.05 <= interval.high for interval in (draw() for _ in range(400))]
    assert np.mean(held) == pytest.approx(0.95, abs=COVERAGE)


@pytest.mark.parametrize("name", METRICS)
def test_a_difference_is_paired(name: str, predictions: Predictions, simulate: Simulate) -> None:
    other = simulate(len(predictions), skill=2.0)
    found = difference(other, predictions, name, 200, seed=3)
    a, b = intervals(other, 200, seed=3)[name], intervals(predictions, 200, seed=3)[name]
    assert found.value == pytest.approx(a.value - b.value)
    (counts,) = resample(len(predictions), 200, seed=3)
    metric = METRICS[name]
    left, right = metric(other, counts), metric(predictions, counts)
    assert left is not None
    assert right is not None
    assert [found.low, found.high] == pytest.approx(np.percentile(left - right, [2.5, 97.5]))
    back = difference(predictions, other, name, 200, seed=3)
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low))


def test_pairing_narrows_and_nothing_differs_from_itself(simulate: Simulate) -> None:
    a, b = simulate(500, skill=1.2, seed=4), simulate(500, skill=1.0, seed=4)
    paired, alone = difference(a, b), [intervals(each)["accuracy"] for each in (a, b)]
    unpaired = sum((interval.high - interval.low) ** 2 for interval in alone) ** 0.5
    assert paired.high - paired.low < 0.6 * unpaired
    assert difference(a, a, "macro_f1") == Interval(0, 0, 0)


def test_errors_say_what_is_wrong(predictions: Predictions, simulate: Simulate) -> None:
    plain = Predictions(predictions.labels, predictions.log_probs, predictions.lengths)
    with pytest.raises(HsEnvError, match="Did you mean 'accuracy'"):
        difference(predictions, predictions, "acuracy")
    with pytest.raises(HsEnvError, match="'boundary_f1' does not apply"):
        difference(predictions, plain, "boundary_f1")
    with pytest.raises(HsEnvError, match="'boundary_f1' does not apply"):
        difference(plain, predictions, "boundary_f1")
    with pytest.raises(HsEnvError, match="needs the same sentences"):
        difference(predictions, simulate(len(predictions), seed=1))
    with pytest.raises(HsEnvError, match="at least one resample"):
        intervals(predictions, resamples=0)
    with pytest.raises(HsEnvError, match="Did you mean 'accuracy'"):
        intervals(predictions, metrics=["acuracy"])
    with pytest.raises(HsEnvError, match="None of the metrics applies to these predictions: no name given"):
        intervals(predictions, metrics=[])
