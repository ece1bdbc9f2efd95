"""Train PPO of TorchRL on the native vector environment, with action masks.

    pip install "hs-env[torchrl]"
    python scripts/examples/torchrl_ppo.py --steps 200000 --seed 1

TorchRL resets finished environments by itself, so the autoreset mode is DISABLED. It also accepts SAME_STEP, but
refuses Gymnasium's default, NEXT_STEP. It reads the mode from the environment itself, so do not put a Gymnasium vector
wrapper between them. A reader of infos copies the masks into the data of each step; its spec gives their shape.
"""

from __future__ import annotations

import gymnasium
import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from scoring import ID, act_at_random, mean_reward, report
from tensordict.nn import TensorDictModule
from torch import nn
from torchrl.collectors import Collector
from torchrl.data import Binary, Composite
from torchrl.envs import DTypeCastTransform, GymWrapper, TransformedEnv, default_info_dict_reader
from torchrl.modules import MaskedCategorical, ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

NUM_ENVS = 64
ROLLOUT = 64  # steps per slot: several sentences, as the only reward of a sentence comes at its end


def make_env(seed: int) -> TransformedEnv:
    """Make the environment, with its masks under "action_mask"."""
    env = GymWrapper(gymnasium.make_vec(ID, NUM_ENVS, autoreset_mode="Disabled"), categorical_action_encoding=True)
    masks = Composite(action_mask=Binary(shape=(NUM_ENVS, 2), dtype=torch.int8), shape=(NUM_ENVS,))
    env.set_info_dict_reader(default_info_dict_reader(["action_mask"], spec=masks))
    env.set_seed(seed)
    return TransformedEnv(env, DTypeCastTransform(torch.int8, torch.bool, in_keys=["action_mask"]))


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    """Make a network with two hidden layers."""
    return nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))


def main(steps: int = 200_000, seed: int = 0) -> dict[str, float]:
    """Train, and return mean rewards on the test split: of random actions, and of the policy before and after."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # for such small products, more threads are no faster, and much slower on shared cores
    env = make_env(seed)
    size = env.observation_spec["observation"].shape[-1]
    policy = mlp(size, 2)
    actor = ProbabilisticActor(
        TensorDictModule(policy, in_keys=["observation"], out_keys=["logits"]),
        in_keys={"logits": "logits", "mask": "action_mask"},
        spec=env.action_spec,
        distribution_class=MaskedCategorical,
        return_log_prob=True,
    )
    critic = ValueOperator(mlp(size, 1), in_keys=["observation"])
    # At gamma = 1, the reward at the end of a sentence counts the same for all of its words.
    advantage = GAE(gamma=1.0, lmbda=0.95, value_network=critic)
    loss_of = ClipPPOLoss(actor, critic, entropy_coeff=0.01, critic_coeff=0.5, normalize_advantage=True)
    optimizer = torch.optim.Adam(loss_of.parameters(), lr=1e-3)

    def act(observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
        with torch.no_grad():
            logits = policy(torch.as_tensor(observations))
        return np.where(masks, logits.numpy(), -np.inf).argmax(1)

    before = mean_reward(act)
    batch, done = NUM_ENVS * ROLLOUT, 0
    total = batch * max(1, steps // batch)
    collector = Collector(env, actor, frames_per_batch=batch, total_frames=total, auto_register_policy_transforms=False)
    for data in collector:
        with torch.no_grad():
            advantage(data)
        flat = data.flatten()
        for _ in range(4):
            for indices in torch.randperm(len(flat)).split(512):
                losses = loss_of(flat[indices])
                loss = losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(loss_of.parameters(), 0.5)
                optimizer.step()
        done += len(flat)
        rewards = data["next", "reward"][data["next", "done"]]
        print(f"{done:>8} steps  mean reward of {len(rewards)} episodes {rewards.mean():+.3f}")
    return report(random=mean_reward(act_at_random), before=before, after=mean_reward(act))


if __name__ == "__main__":
    tyro.cli(main)
