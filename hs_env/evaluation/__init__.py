"""Honest comparison: metrics with bootstrap intervals, baselines beside every result."""

from hs_env.evaluation.bootstrap import Interval, difference, intervals
from hs_env.evaluation.compare import compare
from hs_env.evaluation.deletions import Deletions
from hs_env.evaluation.metrics import METRICS, Outcome, collect, collect_plain
from hs_env.evaluation.table import Comparison, Row

__all__ = [
    "METRICS",
    "Comparison",
    "Deletions",
    "Interval",
    "Outcome",
    "Row",
    "collect",
    "collect_plain",
    "compare",
    "difference",
    "intervals",
]
