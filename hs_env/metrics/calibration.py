"""Calibration: do predictions with a probability of 80% turn out to be right in 80% of the cases?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hs_env.metrics.predictions import FloatArray, IntArray, Predictions

BINS: Final = 15
"""Number of bins of equal width between 0 and 1, as in Guo et al. 2017, "On Calibration of Modern Neural Networks"."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The sentences whose prediction has a probability in one bin; one point of the reliability curve.

    Attributes:
        low: Lower end of the bin, excluded except for 0.
        high: Upper end of the bin, included.
        count: Number of sentences.
        confidence: Mean probability of the predicted class; 0 without sentences.
        accuracy: Share of correct predictions; 0 without sentences.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def _confidence(predictions: Predictions) -> tuple[FloatArray, IntArray]:
    """Return the probability of each predicted class, (N,), and the index of its bin, (N,)."""
    probability = np.exp(predictions.log_probs.max(1).astype(np.float64)).clip(0, 1)
    return probability, np.ceil(probability * BINS).astype(np.int64).clip(1, BINS) - 1


def reliability(predictions: Predictions) -> tuple[ReliabilityBin, ...]:
    """Compute the reliability curve in 15 bins of equal width."""
    probability, index = _confidence(predictions)
    count = np.bincount(index, minlength=BINS)
    confidence = np.bincount(index, probability, BINS) / np.maximum(count, 1)
    accuracy = np.bincount(index, predictions.classes == predictions.labels, BINS) / np.maximum(count, 1)
    return tuple(
        ReliabilityBin(at / BINS, (at + 1) / BINS, int(count[at]), float(confidence[at]), float(accuracy[at]))
        for at in range(BINS)
    )


def calibration_gaps(predictions: Predictions) -> FloatArray:
    """Return correctness less probability of each prediction in the column of its bin, and ones, (N, 16)."""
    probability, index = _confidence(predictions)
    gaps = np.zeros((len(predictions), BINS + 1))
    gaps[np.arange(len(predictions)), index] = (predictions.classes == predictions.labels) - probability
    gaps[:, BINS] = 1
    return gaps


def calibration_error(sums: FloatArray) -> FloatArray:
    """Compute the expected calibration error from (resamples, 16) sums of `calibration_gaps`.

    It is the mean over sentences of the distance between accuracy and mean probability in the bin of each sentence.
    """
    error: FloatArray = np.abs(sums[:, :BINS]).sum(1) / sums[:, BINS]
    return error


def squared_errors(predictions: Predictions) -> FloatArray:
    """Return the squared error of each sentence's class probabilities, summed over the classes, and ones, (N, 2).

    The mean is the score of Brier 1950, from 0 to 2. For two classes it is twice the one of scikit-learn before 1.7.
    """
    probabilities = np.exp(predictions.log_probs.astype(np.float64))
    probabilities[np.arange(len(predictions)), predictions.labels] -= 1
    errors = np.square(probabilities).sum(1)
    return np.stack([errors, np.ones_like(errors)], axis=1)
