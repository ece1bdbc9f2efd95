"""Train PPO of skrl on the native vector environment.

    pip install "hs-env[skrl]"
    python scripts/examples/skrl_ppo.py --steps 200000 --seed 1

skrl takes the observation that a step returns as the first one after an end, so the autoreset mode is SAME_STEP. Its
PPO ignores action masks: the environment replaces an illegal INSIDE at the last word by END.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from scoring import ID, act_at_random, mean_reward, report
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import CategoricalMixin, DeterministicMixin, Model
from skrl.trainers.torch import SequentialTrainer
from skrl.utils import set_seed
from torch import Tensor, nn

NUM_ENVS = 64
ROLLOUT = 64  # steps per environment: several sentences, as the only reward of a sentence comes at its end


def network(inputs: int, outputs: int) -> nn.Sequential:
    """Return an MLP."""
    return nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))


class Policy(CategoricalMixin, Model):  # type: ignore[misc]
    """Gives the logits of the actions."""

    def __init__(self, **spaces: Any) -> None:
        Model.__init__(self, **spaces)
        CategoricalMixin.__init__(self)
        self.net = network(self.num_observations, self.num_actions)

    def compute(self, inputs: dict[str, Any], role: str = "") -> tuple[Tensor, dict[str, Any]]:
        """Compute the logits (N, 2)."""
        return self.net(inputs["observations"]), {}


class Value(DeterministicMixin, Model):  # type: ignore[misc]
    """Estimates the reward of the sentence."""

    def __init__(self, **spaces: Any) -> None:
        Model.__init__(self, **spaces)
        DeterministicMixin.__init__(self)
        self.net = network(self.num_observations, 1)

    def compute(self, inputs: dict[str, Any], role: str = "") -> tuple[Tensor, dict[str, Any]]:
        """Compute the values (N, 1)."""
        return self.net(inputs["observations"]), {}


def main(steps: int = 200_000, seed: int = 0) -> dict[str, float]:
    """Train, and return mean rewards on the test split: of random actions, and of the policy before and after."""
    set_seed(seed)
    torch.set_num_threads(1)  # for such small products, more threads are no faster, and much slower on shared cores
    env = wrap_env(gymnasium.make_vec(ID, NUM_ENVS, autoreset_mode="SameStep"))
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space, "device": env.device}
    policy = Policy(**spaces)
    config = PPO_CFG(
        rollouts=ROLLOUT,
        mini_batches=8,
        learning_epochs=4,
        discount_factor=1.0,  # the reward at the end of a sentence counts the same for all of its words
        learning_rate=1e-3,
        entropy_loss_scale=0.01,
        value_loss_scale=0.5,
    )
    config.experiment.write_interval = config.experiment.checkpoint_interval = 0
    agent = PPO(
        models={"policy": policy, "value": Value(**spaces)},
        memory=RandomMemory(memory_size=ROLLOUT, num_envs=NUM_ENVS, device=env.device),
        cfg=config,
        **spaces,
    )

    def act(observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
        with torch.no_grad():
            logits, _ = policy.compute({"observations": torch.from_numpy(observations)})
        return np.where(masks, logits.numpy(), -np.inf).argmax(1)

    before = mean_reward(act)
    trainer = {"timesteps": steps // NUM_ENVS, "headless": True, "close_environment_at_exit": False}
    SequentialTrainer(env=env, agents=agent, cfg=trainer).train()
    env.close()
    return report(random=mean_reward(act_at_random), before=before, after=mean_reward(act))


if __name__ == "__main__":
    tyro.cli(main)
