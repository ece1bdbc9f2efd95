"""Score policies by their mean reward on the first 500 sentences of the test split, on which no example trains."""

from __future__ import annotations

from functools import partial

import gymnasium
import numpy as np
from numpy.typing import NDArray

import hs_env
from hs_env import metrics

gymnasium.register_envs(hs_env)

ID = "hs_env/PhraseSegmentation-v0"

mean_reward = partial(metrics.mean_reward, sentences=500)

_GENERATOR = np.random.default_rng(0)


def act_at_random(observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Choose each legal action with the same probability."""
    return np.where(masks, _GENERATOR.random(masks.shape), -1.0).argmax(1)


def report(**scores: float) -> dict[str, float]:
    """Print the scores and return them."""
    print("mean reward on the test split:", ", ".join(f"{name} {score:+.3f}" for name, score in scores.items()))
    return scores
