"""Estimators of the gradient of the mean reward with respect to a policy with discrete actions."""

from .base import ESTIMATORS, Estimate, Estimator, ExpectedReward
from .branching import ARM, DisARM, LocalExpectation
from .control import REBAR, RELAX
from .exact import Exact
from .score import GRPO, PPO, LeaveOneOut, MovingAverage, Score, ScoreFunction, SelfCritical
from .straight import STGumbel, STHard, STIdentity, STSigmoid

__all__ = [
    "ARM",
    "ESTIMATORS",
    "GRPO",
    "PPO",
    "REBAR",
    "RELAX",
    "DisARM",
    "Estimate",
    "Estimator",
    "Exact",
    "ExpectedReward",
    "LeaveOneOut",
    "LocalExpectation",
    "MovingAverage",
    "STGumbel",
    "STHard",
    "STIdentity",
    "STSigmoid",
    "Score",
    "ScoreFunction",
    "SelfCritical",
]
