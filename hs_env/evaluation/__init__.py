"""Honest comparison: metrics with bootstrap intervals, baselines beside every result."""

from hs_env.evaluation.compare import compare
from hs_env.evaluation.deletions import Deletions
from hs_env.evaluation.neighbours import Neighbour, PhraseIndex
from hs_env.evaluation.recurring import Recurring
from hs_env.evaluation.table import Comparison, Row
from hs_env.evaluation.treebanks import compare_with_treebank
from hs_env.metrics.bootstrap import Interval, difference, intervals
from hs_env.metrics.definitions import METRICS, STRUCTURE, Outcome, collect, collect_plain

__all__ = [
    "METRICS",
    "STRUCTURE",
    "Comparison",
    "Deletions",
    "Interval",
    "Neighbour",
    "Outcome",
    "PhraseIndex",
    "Recurring",
    "Row",
    "collect",
    "collect_plain",
    "compare",
    "compare_with_treebank",
    "difference",
    "intervals",
]
