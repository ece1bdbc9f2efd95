"""Evaluation of a run: baselines and a plain LSTM beside it, treebanks, neighbours of phrases."""

from hs_env.evaluation.classes import ClassReport, ClassScores
from hs_env.evaluation.compare import compare
from hs_env.evaluation.deletions import Deletions
from hs_env.evaluation.neighbours import Neighbour, PhraseIndex
from hs_env.evaluation.paired import Paired
from hs_env.evaluation.recurring import Recurring
from hs_env.evaluation.runs import compare_runs
from hs_env.evaluation.table import Comparison, Row
from hs_env.evaluation.treebanks import compare_with_treebank

__all__ = [
    "ClassReport",
    "ClassScores",
    "Comparison",
    "Deletions",
    "Neighbour",
    "Paired",
    "PhraseIndex",
    "Recurring",
    "Row",
    "compare",
    "compare_runs",
    "compare_with_treebank",
]
