"""Reward functions on batches of finished episodes."""

if __name__ == "rewards":  # a bare `import rewards`, which works in a checkout
    # Two copies of this package would not know each other's classes and registrations, so be hs_env.rewards itself.
    import importlib
    import sys

    importlib.import_module(f"hs_env.{__name__}")
    for _name, _module in sys.modules.copy().items():
        if f"{_name}.".startswith(f"hs_env.{__name__}."):
            sys.modules[_name.removeprefix("hs_env.")] = _module

from .base import REWARDS, Reward, Rewarded, make_reward
from .classification import Accuracy, LogLikelihood
from .hs_lstm import HSLSTMReward
from .id_lstm import IDLSTMReward

__all__ = ["REWARDS", "Accuracy", "HSLSTMReward", "IDLSTMReward", "LogLikelihood", "Reward", "Rewarded", "make_reward"]
