"""What the examples print: mean rewards of whole episodes on the test split, whose sentences none of them trains on."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium
import numpy as np
from numpy.typing import NDArray

import hs_env

gymnasium.register_envs(hs_env)

ID = "hs_env/PhraseSegmentation-v0"

Act = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.int64]]
"""Chooses (N,) actions, given (N, D) observations and (N, 2) masks of the legal actions."""


_GENERATOR = np.random.default_rng(0)


def act_at_random(observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Each legal action with the same probability."""
    return np.where(masks, _GENERATOR.random(masks.shape), -1.0).argmax(1)


def mean_reward(act: Act, sentences: int = 500) -> float:
    """The mean reward of a policy on the first sentences of the test split."""
    env = gymnasium.make_vec(ID, sentences, split="test", autoreset_mode="SameStep")
    observations, _ = env.reset(options={"indices": list(range(sentences))})
    rewards = np.full(sentences, np.nan)
    while np.isnan(rewards).any():
        actions = act(observations, env.action_masks())
        observations, reward, terminated, _, _ = env.step(actions)
        rewards = np.where(terminated & np.isnan(rewards), reward, rewards)  # the first episode of each environment
    env.close()
    return float(rewards.mean())


def report(**scores: float) -> dict[str, float]:
    """Print the scores, and return them."""
    print("mean reward on the test split:", ", ".join(f"{name} {score:+.3f}" for name, score in scores.items()))
    return scores
