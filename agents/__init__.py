"""P-Nets: policies that segment sentences."""

from .base import AGENTS, Agent, Decision, LearningAgent, Update, load_agent
from .baselines import BASELINES, Heuristic, make_baseline
from .reinforce import PNet, Reinforce, ReinforceConfig
from .rollout import Rollout, rollout

__all__ = [
    "AGENTS",
    "BASELINES",
    "Agent",
    "Decision",
    "Heuristic",
    "LearningAgent",
    "PNet",
    "Reinforce",
    "ReinforceConfig",
    "Rollout",
    "Update",
    "load_agent",
    "make_baseline",
    "rollout",
]
