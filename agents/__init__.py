"""Agents: policies that decide the words of sentences, learned (P-Nets) or fixed."""

if __name__ == "agents":  # a bare `import agents`, which works in a checkout
    # Two copies of this package would have two sets of classes and registries, so alias hs_env.agents.
    import importlib
    import sys

    importlib.import_module(f"hs_env.{__name__}")
    for _name, _module in sys.modules.copy().items():
        if f"{_name}.".startswith(f"hs_env.{__name__}."):
            sys.modules[_name.removeprefix("hs_env.")] = _module

from .base import (
    AGENTS,
    Agent,
    AgentKind,
    AgentSetting,
    Decision,
    LearningAgent,
    PolicyInput,
    Update,
    load_agent,
)
from .baselines import BASELINES, Baseline, Heuristic, baselines_for, make_baseline
from .choice import BinaryChoice, CategoricalChoice, Choice, choice_of
from .distances import DistanceNet, TreeNet, TreePolicy, WordWeightNet
from .estimators import ESTIMATORS
from .fixed import FixedPolicy
from .learned_boundaries import LearnedBoundaries
from .legality import Legality
from .loading import load_agent_for, load_pair
from .module_baselines import GoldPhrases, RandomModules
from .policy import LogitPolicy, PNet, PolicyNet
from .reinforce import Reinforce, ReinforceParameters
from .rollout import Rollout, rollout
from .sb3 import ALGORITHMS, SB3Agent
from .sb3_learner import SB3Learner, SB3Parameters
from .search import beam_search, best_actions
from .skim import skim
from .skimming_baselines import FirstHalf, ReadAll, SkipAlways

__all__ = [
    "AGENTS",
    "ALGORITHMS",
    "BASELINES",
    "ESTIMATORS",
    "Agent",
    "AgentKind",
    "AgentSetting",
    "Baseline",
    "BinaryChoice",
    "CategoricalChoice",
    "Choice",
    "Decision",
    "DistanceNet",
    "FirstHalf",
    "FixedPolicy",
    "GoldPhrases",
    "Heuristic",
    "LearnedBoundaries",
    "LearningAgent",
    "Legality",
    "LogitPolicy",
    "PNet",
    "PolicyInput",
    "PolicyNet",
    "RandomModules",
    "ReadAll",
    "Reinforce",
    "ReinforceParameters",
    "Rollout",
    "SB3Agent",
    "SB3Learner",
    "SB3Parameters",
    "SkipAlways",
    "TreeNet",
    "TreePolicy",
    "Update",
    "WordWeightNet",
    "baselines_for",
    "beam_search",
    "best_actions",
    "choice_of",
    "load_agent",
    "load_agent_for",
    "load_pair",
    "make_baseline",
    "rollout",
    "skim",
]
