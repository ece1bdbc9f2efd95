"""Score policies by their mean reward per episode on the test split, on which no example trains."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium
import numpy as np
from numpy.typing import NDArray

import hs_env

gymnasium.register_envs(hs_env)

ID = "hs_env/PhraseSegmentation-v0"

Act = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.int64]]
"""Chooses (N,) int64 actions from (N, D) float32 observations and (N, 2) bool masks of the legal actions."""


_GENERATOR = np.random.default_rng(0)


def act_at_random(observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Choose each legal action with the same probability."""
    return np.where(masks, _GENERATOR.random(masks.shape), -1.0).argmax(1)


def mean_reward(act: Act, sentences: int = 500) -> float:
    """Return the mean reward of a policy on the first sentences of the test split."""
    env = gymnasium.make_vec(ID, sentences, split="test", autoreset_mode="SameStep")
    observations, _ = env.reset(options={"indices": list(range(sentences))})
    rewards = np.full(sentences, np.nan)
    while np.isnan(rewards).any():
        actions = act(observations, env.action_masks())
        observations, reward, terminated, _, _ = env.step(actions)
        rewards = np.where(terminated & np.isnan(rewards), reward, rewards)  # only the first episode of each slot
    env.close()
    return float(rewards.mean())


def report(**scores: float) -> dict[str, float]:
    """Print the scores and return them."""
    print("mean reward on the test split:", ", ".join(f"{name} {score:+.3f}" for name, score in scores.items()))
    return scores
