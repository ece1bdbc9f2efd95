"""Metrics of a policy or a classifier on a split, and their bootstrap intervals."""

from hs_env.metrics.bootstrap import Interval, difference, intervals
from hs_env.metrics.calibration import ReliabilityBin, reliability
from hs_env.metrics.definitions import CLASSIFICATION, DETAILS, Metric, metrics_of, values_of
from hs_env.metrics.mcnemar import McNemar, mcnemar
from hs_env.metrics.predictions import Predictions, collect, collect_flat
from hs_env.metrics.reward import mean_reward

__all__ = [
    "CLASSIFICATION",
    "DETAILS",
    "Interval",
    "McNemar",
    "Metric",
    "Predictions",
    "ReliabilityBin",
    "collect",
    "collect_flat",
    "difference",
    "intervals",
    "mcnemar",
    "mean_reward",
    "metrics_of",
    "reliability",
    "values_of",
]
