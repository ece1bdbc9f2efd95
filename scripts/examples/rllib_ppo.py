"""Train PPO of RLlib, with two processes that each step a native vector environment.

    pip install "hs-env[rllib]"
    python scripts/examples/rllib_ppo.py --steps 200000 --seed 1

With `vector_entry_point`, RLlib creates vector environments with `gymnasium.make_vec`. It expects Gymnasium's default
autoreset mode, NEXT_STEP. In the name of the environment, the module before the colon registers it in each process.
Without a custom module, RLlib ignores action masks: the environment replaces an illegal INSIDE at the last word by END.
"""

from __future__ import annotations

import numpy as np
import ray
import torch
import tyro
from numpy.typing import NDArray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from scoring import ID, act_at_random, mean_reward, report


def main(steps: int = 200_000, seed: int = 0) -> dict[str, float]:
    """Train, and return mean rewards on the test split: of random actions, and of the policy before and after."""
    torch.set_num_threads(1)
    ray.init(num_cpus=2, include_dashboard=False)
    config = (
        PPOConfig()
        .environment(f"hs_env:{ID}")
        .env_runners(num_env_runners=2, num_envs_per_env_runner=32, gym_env_vectorize_mode="vector_entry_point")
        .training(
            gamma=1.0,  # the reward at the end of a sentence counts the same for all of its words
            train_batch_size_per_learner=4096,  # 64 steps per slot: several sentences
            minibatch_size=512,
            num_epochs=4,
            lr=1e-3,
            entropy_coeff=0.01,
        )
        .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[64, 64]))
        .debugging(seed=seed)
    )
    algorithm = config.build_algo()

    def act(observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
        with torch.no_grad():
            outputs = algorithm.get_module().forward_inference({Columns.OBS: torch.as_tensor(observations)})
        return np.where(masks, outputs[Columns.ACTION_DIST_INPUTS].numpy(), -np.inf).argmax(1)

    before = mean_reward(act)
    done = 0
    while done < steps:
        result = algorithm.train()["env_runners"]
        done = int(result["num_env_steps_sampled_lifetime"])
        print(f"{done:>8} steps  mean reward of recent episodes {result['episode_return_mean']:+.3f}")
    scores = report(random=mean_reward(act_at_random), before=before, after=mean_reward(act))
    algorithm.stop()
    ray.shutdown()
    return scores


if __name__ == "__main__":
    tyro.cli(main)
