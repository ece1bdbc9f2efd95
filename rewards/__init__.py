"""Reward functions on batches of finished episodes."""

from .base import REWARDS, Reward, Rewarded, make_reward
from .classification import Accuracy, LogLikelihood
from .hs_lstm import HSLSTMReward

__all__ = ["REWARDS", "Accuracy", "HSLSTMReward", "LogLikelihood", "Reward", "Rewarded", "make_reward"]
