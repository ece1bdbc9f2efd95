"""Train PPO of Tianshou 2 on single environments.

    pip install "hs-env[tianshou]"
    python scripts/examples/tianshou_ppo.py --steps 60000 --seed 1

Tianshou builds its own vector environments from single ones, and does not accept native vector environments. So the
frozen classifier is called for one word at a time, and steps are an order of magnitude slower than in the other
examples. Tianshou resets environments by itself, so there is no autoreset mode to choose. Its PPO ignores action masks:
the environment replaces an illegal INSIDE at the last word by END.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from scoring import ID, act_at_random, mean_reward, report
from tianshou.algorithm import PPO
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, CollectStats, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OnPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic

NUM_ENVS = 16
ROLLOUT = 128  # steps per environment: several sentences, as the only reward of a sentence comes at its end


class WithoutPhrases(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Removes the phrases from the last info: Tianshou stacks infos, and sentences have different numbers of them."""

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        info.pop("phrases", None)
        return observation, reward, terminated, truncated, info


def main(steps: int = 60_000, seed: int = 0) -> dict[str, float]:
    """Train, and return mean rewards on the test split: of random actions, and of the policy before and after."""
    np.random.seed(seed)  # noqa: NPY002  (Tianshou draws its minibatches from NumPy's global generator)
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # for such small products, more threads are no faster, and much slower on shared cores
    env = DummyVectorEnv([lambda: WithoutPhrases(gymnasium.make(ID)) for _ in range(NUM_ENVS)])
    env.seed(seed)
    observation_space, action_space = env.observation_space[0], env.action_space[0]

    def net() -> Net:
        return Net(state_shape=observation_space.shape, hidden_sizes=(64, 64), activation=torch.nn.Tanh)

    actor = DiscreteActor(preprocess_net=net(), action_shape=action_space.n, softmax_output=False)
    algorithm = PPO(
        policy=DiscreteActorPolicy(actor=actor, action_space=action_space),
        critic=DiscreteCritic(preprocess_net=net()),
        optim=AdamOptimizerFactory(lr=3e-3),
        gamma=1.0,  # the reward at the end of a sentence counts the same for all of its words
        ent_coef=0.01,
        max_grad_norm=0.5,
    )

    def act(observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
        with torch.no_grad():
            logits, _ = actor(observations)
        return np.where(masks, logits.numpy(), -np.inf).argmax(1)

    before = mean_reward(act)
    batch = NUM_ENVS * ROLLOUT
    algorithm.run_training(
        OnPolicyTrainerParams(
            training_collector=Collector[CollectStats](algorithm, env, VectorReplayBuffer(batch, NUM_ENVS)),
            max_epochs=max(1, steps // (5 * batch)),
            epoch_num_steps=min(steps, 5 * batch),  # the log has one line per epoch
            collection_step_num_env_steps=batch,
            update_step_num_repetitions=4,
            batch_size=128,
        )
    )
    return report(random=mean_reward(act_at_random), before=before, after=mean_reward(act))


if __name__ == "__main__":
    tyro.cli(main)
