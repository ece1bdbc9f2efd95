"""Estimators of the gradient of a reward through hard 0/1 decisions: one family, each a name for `--estimator`."""

from .base import ESTIMATORS, Estimate, Estimator, Problem
from .branching import ARM, DisARM, LocalExpectation
from .control import REBAR, RELAX
from .exact import Exact
from .score import LeaveOneOut, MovingAverage, SelfCritical
from .straight import STGumbel, STHard, STIdentity, STSigmoid

__all__ = [
    "ARM",
    "ESTIMATORS",
    "REBAR",
    "RELAX",
    "DisARM",
    "Estimate",
    "Estimator",
    "Exact",
    "LeaveOneOut",
    "LocalExpectation",
    "MovingAverage",
    "Problem",
    "STGumbel",
    "STHard",
    "STIdentity",
    "STSigmoid",
    "SelfCritical",
]
