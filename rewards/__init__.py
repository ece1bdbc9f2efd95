"""Reward functions on batches of finished episodes."""

if __name__ == "rewards":  # a bare `import rewards`, which works in a checkout
    # A second copy would have classes and a registry of its own, so this name becomes hs_env.rewards itself.
    import importlib
    import sys

    importlib.import_module(f"hs_env.{__name__}")
    for _name, _module in sys.modules.copy().items():
        if f"{_name}.".startswith(f"hs_env.{__name__}."):
            sys.modules[_name.removeprefix("hs_env.")] = _module

from .base import REWARDS, DenseReward, Multiple, Reward, Sum
from .chunking import ChunkGain
from .classification import Accuracy, LogLikelihood, Margin
from .counts import Deletions, Phrases, Transitions, WordsRead
from .expression import RewardLike, describe_parameters, make_reward
from .function import FunctionReward, phrase_lengths
from .gold import BoundaryF1
from .hs_lstm import HSLSTMReward
from .id_lstm import IDLSTMReward
from .rewarded import Rewarded, Term
from .target import BoundaryRate, DeletionRate, PhraseLength

__all__ = [
    "REWARDS",
    "Accuracy",
    "BoundaryF1",
    "BoundaryRate",
    "ChunkGain",
    "DeletionRate",
    "Deletions",
    "DenseReward",
    "FunctionReward",
    "HSLSTMReward",
    "IDLSTMReward",
    "LogLikelihood",
    "Margin",
    "Multiple",
    "PhraseLength",
    "Phrases",
    "Reward",
    "RewardLike",
    "Rewarded",
    "Sum",
    "Term",
    "Transitions",
    "WordsRead",
    "describe_parameters",
    "make_reward",
    "phrase_lengths",
]
