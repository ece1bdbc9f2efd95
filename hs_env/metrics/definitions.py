"""The metrics of predictions on a split.

A metric is a function of sums over sentences. So its value on a bootstrap resample needs only how often each sentence
was drawn: one matrix product with the statistics of the sentences gives the values of all resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from hs_env.metrics.predictions import FloatArray, IntArray, Predictions
from hs_env.problems.problem import Column


@dataclass(frozen=True)
class Metric:
    """A function of sums over sentences.

    Attributes:
        column: Its name, and how a table shows it.
        statistics: (N, statistics) float64 of the predictions, or None if the metric does not apply to them.
        value: (resamples,) values from the (resamples, statistics) sums over each resample.
    """

    column: Column
    statistics: Callable[[Predictions], FloatArray | None]
    value: Callable[[FloatArray], FloatArray]

    def __call__(self, predictions: Predictions, counts: IntArray | None = None) -> FloatArray | None:
        """The values on resamples, or None if the metric does not apply.

        Args:
            predictions: N sentences.
            counts: (resamples, N) int64, how often each resample has each sentence; None is all of them once.

        Returns:
            (resamples,) float64.
        """
        table = self.statistics(predictions)
        weights = np.ones((1, len(predictions))) if counts is None else counts.astype(np.float64)
        return None if table is None else self.value(weights @ table)


def ratio(column: Column) -> Metric:
    """The metric of a column: a ratio of two counts."""

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
    """Ratio of two sums; 1 where both are 0."""
    return np.divide(sums[:, 0], sums[:, 1], out=np.ones(len(sums)), where=sums[:, 1] > 0)


def _confusion(predictions: Predictions) -> FloatArray:
    """(N, 3C): of each class, correct predictions, predictions, labels; F1 needs no other confusions."""
    classes = np.eye(predictions.log_probs.shape[1])
    predicted, labelled = classes[predictions.classes], classes[predictions.labels]
    return np.hstack([predicted * labelled, predicted, labelled])


def _macro_f1(sums: FloatArray) -> FloatArray:
    """The mean F1 of the classes that a resample has, in its labels or its predictions."""
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
"""The metrics of every classifier: accuracy, mean log-probability of the gold class, macro-averaged F1."""


def metrics_of(predictions: Predictions) -> dict[str, Metric]:
    """The metrics by name: those of every classifier, then the columns of the predictions."""
    return {metric.column.name: metric for metric in (*CLASSIFICATION, *map(ratio, predictions.columns))}


def values_of(predictions: Predictions) -> dict[str, float]:
    """The value of every metric that applies, by name."""
    found = {name: metric(predictions) for name, metric in metrics_of(predictions).items()}
    return {name: float(value[0]) for name, value in found.items() if value is not None}
