"""Calibration, balanced accuracy and McNemar's test against scikit-learn and SciPy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import balanced_accuracy_score, brier_score_loss

from hs_env.errors import HsEnvError
from hs_env.metrics import mcnemar, reliability, values_of
from tests.metrics.builders import simulate


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_values_are_those_of_scikit_learn(classes: int) -> None:
    predictions = simulate(300, classes, seed=classes)
    probabilities = np.exp(predictions.log_probs)
    correct, confidence = predictions.classes == predictions.labels, probabilities.max(1)
    accuracy, mean = calibration_curve(correct, confidence, n_bins=15)
    found = [each for each in reliability(predictions) if each.count]
    assert [each.accuracy for each in found] == pytest.approx(accuracy)
    assert [each.confidence for each in found] == pytest.approx(mean)
    counts = np.array([each.count for each in found])
    assert counts.sum() == 300
    values = values_of(predictions)
    assert values["calibration_error"] == pytest.approx((np.abs(accuracy - mean) * counts).sum() / 300)
    assert values["balanced_accuracy"] == pytest.approx(
        balanced_accuracy_score(predictions.labels, predictions.classes)
    )
    one_against_rest = (brier_score_loss(predictions.labels == at, probabilities[:, at]) for at in range(classes))
    assert values["brier"] == pytest.approx(sum(one_against_rest))


def test_certain_predictions_are_calibrated_if_right() -> None:
    predictions = simulate(20)
    certain = np.where(np.eye(3)[predictions.labels] > 0, 0.0, -700.0)
    values = values_of(replace(predictions, log_probs=certain))
    assert (values["calibration_error"], values["brier"], values["balanced_accuracy"]) == (0, 0, 1)
    values = values_of(replace(predictions, log_probs=certain[:, [1, 2, 0]]))
    assert (values["calibration_error"], values["brier"], values["balanced_accuracy"]) == (1, 2, 0)


@pytest.mark.parametrize(("sentences", "skill"), [(30, 1.0), (400, 1.0), (400, 1.5), (30_000, 1.0)])
def test_mcnemar_is_a_binomial_test(sentences: int, skill: float) -> None:
    first = simulate(sentences, skill=skill)
    second = replace(first, log_probs=np.roll(simulate(sentences, seed=1).log_probs, 1, axis=1))
    right, other = first.classes == first.labels, second.classes == second.labels
    test = mcnemar(first, second)
    assert (test.only_first, test.only_second) == ((right & ~other).sum(), (other & ~right).sum())
    expected = binomtest(test.only_first, test.only_first + test.only_second).pvalue
    assert test.p == pytest.approx(expected, rel=1e-6, abs=1e-300)


def test_mcnemar_of_equal_and_other_predictions() -> None:
    assert mcnemar(simulate(30), simulate(30)).p == 1
    with pytest.raises(HsEnvError, match="the same sentences, got different ones, 30 and 31"):
        mcnemar(simulate(30), simulate(31))
