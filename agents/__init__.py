"""P-Nets: policies that segment sentences."""

if __name__ == "agents":  # a bare `import agents`, which works in a checkout
    # Two copies of this package would not know each other's classes and registrations, so be hs_env.agents itself.
    import importlib
    import sys

    importlib.import_module(f"hs_env.{__name__}")
    for _name, _module in sys.modules.copy().items():
        if f"{_name}.".startswith(f"hs_env.{__name__}."):
            sys.modules[_name.removeprefix("hs_env.")] = _module

from .base import AGENTS, Agent, Decision, LearningAgent, Update, load_agent
from .baselines import BASELINES, Baseline, Heuristic, baselines_for, make_baseline
from .estimators import ESTIMATORS
from .fixed import STRUCTURE, FixedStructure
from .hm_boundaries import HMBoundaries
from .learners import LEARNERS, LearnerConfig
from .policy import BinaryPolicy, PNet
from .reinforce import Reinforce, ReinforceConfig
from .rollout import Rollout, rollout
from .sb3 import ALGORITHMS, SB3Agent
from .sb3_learner import SB3Config, SB3Learner
from .search import beam_search, best_segmentation, every_segmentation

__all__ = [
    "AGENTS",
    "ALGORITHMS",
    "BASELINES",
    "ESTIMATORS",
    "LEARNERS",
    "STRUCTURE",
    "Agent",
    "Baseline",
    "BinaryPolicy",
    "Decision",
    "FixedStructure",
    "HMBoundaries",
    "Heuristic",
    "LearnerConfig",
    "LearningAgent",
    "PNet",
    "Reinforce",
    "ReinforceConfig",
    "Rollout",
    "SB3Agent",
    "SB3Config",
    "SB3Learner",
    "Update",
    "baselines_for",
    "beam_search",
    "best_segmentation",
    "every_segmentation",
    "load_agent",
    "make_baseline",
    "rollout",
]
