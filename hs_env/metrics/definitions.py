"""Define the metrics of predictions on a split.

A metric is a function of sums over sentences. Its value on a bootstrap resample therefore depends only on how often
each sentence was drawn: one matrix product with the statistics of the sentences gives the values of all resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from hs_env.metrics.calibration import calibration_error, calibration_gaps, squared_errors
from hs_env.metrics.predictions import FloatArray, IntArray, Predictions
from hs_env.problems.problem import Column


@dataclass(frozen=True)
class Metric:
    """A function of sums over sentences.

    Attributes:
        column: Name and format in tables.
        statistics: Function from N predictions to (N, statistics) float64, or to None if the metric does not apply.
        value: Function from (resamples, statistics) sums over the sentences of each resample to (resamples,) values.
    """

    column: Column
    statistics: Callable[[Predictions], FloatArray | None]
    value: Callable[[FloatArray], FloatArray]

    def __call__(self, predictions: Predictions, counts: IntArray | None = None) -> FloatArray | None:
        """Compute the values on resamples, (resamples,) float64, or None if the metric does not apply.

        Args:
            predictions: Predictions on N sentences.
            counts: (resamples, N) int64, number of times each resample has each sentence. Default: one resample with
                every sentence once.
        """
        table = self.statistics(predictions)
        weights = np.ones((1, len(predictions))) if counts is None else counts.astype(np.float64)
        return None if table is None else self.value(weights @ table)


def ratio(column: Column) -> Metric:
    """Return the metric of a column: the ratio of its two counts, 1 where the denominator is 0."""

    def statistics(predictions: Predictions) -> FloatArray | None:
        counts = [predictions.count(column.numerator), predictions.count(column.denominator)]
        present = [count for count in counts if count is not None]
        if len(present) < 2:
            return None
        if column.needs and ((needed := predictions.count(column.needs)) is None or not needed.any()):
            return None
        return np.stack(present, axis=1).astype(np.float64)

    return Metric(column, statistics, _ratio)


def _ratio(sums: FloatArray) -> FloatArray:
    """Compute the ratio of two sums; 1 where the second is 0."""
    return np.divide(sums[:, 0], sums[:, 1], out=np.ones(len(sums)), where=sums[:, 1] > 0)


def _confusion(predictions: Predictions) -> FloatArray:
    """Return correct predictions, predictions and labels of each class, (N, 3C); F1 needs nothing else."""
    classes = np.eye(predictions.log_probs.shape[1])
    predicted, labelled = classes[predictions.classes], classes[predictions.labels]
    return np.hstack([predicted * labelled, predicted, labelled])


def _macro_f1(sums: FloatArray) -> FloatArray:
    """Compute the mean F1 over the classes that occur in the labels or predictions of a resample."""
    right, predicted, labelled = np.split(sums, 3, axis=1)
    total = predicted + labelled
    f1 = np.divide(2 * right, total, out=np.zeros_like(total), where=total > 0)
    mean: FloatArray = f1.sum(1) / (total > 0).sum(1)
    return mean


CLASSIFICATION: Final = (
    ratio(Column("accuracy", ("Accuracy", "%"), "correct", "sentences", 100, 1)),
    ratio(Column("log_likelihood", ("Log-", "likelihood"), "log_likelihood", "sentences")),
    Metric(Column("macro_f1", ("Macro", "F1 %"), "", "", 100, 1), _confusion, _macro_f1),
)
"""Metrics of every classifier: accuracy, mean log-probability of the gold class in nats, macro-averaged F1."""


def _balanced_accuracy(sums: FloatArray) -> FloatArray:
    """Compute the mean recall over the classes that occur in the labels of a resample."""
    right, _, labelled = np.split(sums, 3, axis=1)
    recall = np.divide(right, labelled, out=np.zeros_like(labelled), where=labelled > 0)
    mean: FloatArray = recall.sum(1) / (labelled > 0).sum(1)
    return mean


DETAILS: Final = (
    Metric(Column("balanced_accuracy", ("Balanced", "accuracy %"), "", "", 100, 1), _confusion, _balanced_accuracy),
    Metric(Column("brier", ("Brier", "score"), "", ""), squared_errors, _ratio),
    Metric(Column("calibration_error", ("ECE", "%"), "", "", 100, 1), calibration_gaps, calibration_error),
)
"""Further metrics of every classifier, which have a table of their own: mean recall, squared error of the class
probabilities (Brier score), expected calibration error (ECE, in 15 bins of equal width)."""


def metrics_of(predictions: Predictions) -> dict[str, Metric]:
    """Return the metrics by name: those of every classifier, then those of the predictions' columns."""
    return {metric.column.name: metric for metric in (*CLASSIFICATION, *DETAILS, *map(ratio, predictions.columns))}


def values_of(predictions: Predictions) -> dict[str, float]:
    """Compute every metric that applies, by name."""
    found = {name: metric(predictions) for name, metric in metrics_of(predictions).items()}
    return {name: float(value[0]) for name, value in found.items() if value is not None}
