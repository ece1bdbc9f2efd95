"""Train MaskablePPO of sb3-contrib on the native vector environment, through the adapter for Stable-Baselines3.

    pip install hs-env sb3-contrib
    python scripts/examples/sb3_maskable_ppo.py --steps 200000 --seed 1

Stable-Baselines3 resets environments in the step that ends an episode, so the autoreset mode is SAME_STEP. PPO, A2C,
DQN and RecurrentPPO work with the same adapter, but ignore the action masks: the environment replaces an illegal INSIDE
at the last word by END.
"""

from __future__ import annotations

import gymnasium
import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from scoring import ID, act_at_random, mean_reward, report
from stable_baselines3.common.vec_env import VecMonitor

from hs_env.interop.sb3 import SB3VecEnv


def main(steps: int = 200_000, seed: int = 0) -> dict[str, float]:
    """Train, and return mean rewards on the test split: of random actions, and of the policy before and after."""
    torch.set_num_threads(1)  # for such small products, more threads are no faster, and much slower on shared cores
    env = gymnasium.make_vec(ID, 64, autoreset_mode="SameStep")
    model = MaskablePPO(
        "MlpPolicy",
        VecMonitor(SB3VecEnv(env)),  # VecMonitor logs returns; Monitor is for single environments
        n_steps=64,  # several sentences, as the only reward of a sentence comes at its end
        gamma=1.0,  # this reward counts the same for all words of the sentence
        batch_size=512,
        n_epochs=4,
        learning_rate=1e-3,
        ent_coef=0.01,
        seed=seed,
        device="cpu",
    )

    def act(observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
        return model.predict(observations, action_masks=masks, deterministic=True)[0]

    before = mean_reward(act)
    model.learn(steps)
    return report(random=mean_reward(act_at_random), before=before, after=mean_reward(act))


if __name__ == "__main__":
    tyro.cli(main)
