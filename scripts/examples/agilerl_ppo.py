"""Train PPO of AgileRL on the native vector environment.

    pip install "hs-env[agilerl]"
    python scripts/examples/agilerl_ppo.py --steps 200000 --seed 1

AgileRL takes the observation of the next step as the first one after an end, so the autoreset mode is SAME_STEP. Its
PPO reads the action masks of the infos by itself. With a population of several agents and `agilerl.hpo`, the same
function searches for hyper-parameters.
"""

from __future__ import annotations

import gymnasium
import numpy as np
import torch
import tyro
from agilerl.algorithms import PPO
from agilerl.training.train_on_policy import train_on_policy
from numpy.typing import NDArray
from scoring import ID, act_at_random, mean_reward, report

NUM_ENVS = 64


def main(steps: int = 200_000, seed: int = 0) -> dict[str, float]:
    """Train, and return mean rewards on the test split: of random actions, and of the policy before and after."""
    np.random.seed(seed)  # noqa: NPY002  (AgileRL draws its minibatches from NumPy's global generator)
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # for such small products, more threads are no faster, and much slower on shared cores
    env = gymnasium.make_vec(ID, NUM_ENVS, autoreset_mode="SameStep")
    env.reset(seed=seed)  # AgileRL resets without a seed, which continues the generators
    agent = PPO(
        env.single_observation_space,
        env.single_action_space,
        num_envs=NUM_ENVS,
        learn_step=NUM_ENVS * 64,  # 64 words per slot: several sentences, as the reward comes at their ends
        gamma=1.0,  # this reward counts the same for all words of the sentence
        batch_size=512,
        lr=1e-3,
        update_epochs=4,
        ent_coef=0.01,
        # Its GAE cuts the sequence one step early, so that a reward at the last word reaches no decision before it.
        rollout_buffer_config={"use_gae": False},
    )

    def act(observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
        return agent.get_action(observations, action_mask=masks)[0]

    before = mean_reward(act)
    (agent,), _ = train_on_policy(
        env,
        ID,
        "PPO",
        [agent],
        max_steps=steps,
        evo_steps=min(steps, 50_000),  # the log has one line for so many steps
        verbose=False,
    )
    return report(random=mean_reward(act_at_random), before=before, after=mean_reward(act))


if __name__ == "__main__":
    tyro.cli(main)
