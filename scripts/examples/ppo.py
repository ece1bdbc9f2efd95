"""Train PPO in one file that you can copy and change: PyTorch and Gymnasium only, in the style of CleanRL.

    pip install hs-env
    python scripts/examples/ppo.py --total-steps 300000 --seed 1  # --help lists all settings

It uses the native vector environment in Gymnasium's default autoreset mode, NEXT_STEP. In this mode, the step after the
end of an episode ignores the action and returns the first observation of the next episode. Such a step looks like a
transition but is none, so every loss leaves it out (`valid` below). The rest is PPO with action masks. Where only one
action is legal, as at the last word of a sentence, it has probability 1 and therefore no gradient.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import gymnasium
import numpy as np
import torch
import tyro
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from torch import Tensor, nn
from torch.distributions import Categorical

import hs_env

gymnasium.register_envs(hs_env)


@dataclass
class Config:
    """Configure a run."""

    env_id: str = "hs_env/PhraseSegmentation-v0"
    """Name of an environment whose infos contain an `action_mask`."""
    total_steps: int = 300_000
    """Steps of all slots together."""
    seed: int = 0
    """Seed of weights, actions, minibatches and environments."""
    num_envs: int = 64
    """Number of slots; one call of the frozen classifier steps all of them."""
    rollout_steps: int = 64
    """Steps per slot between two updates: several sentences, as the only reward of a sentence comes at its end."""
    learning_rate: float = 1e-3
    """Initial learning rate of Adam; it falls linearly to 0."""
    gamma: float = 1.0
    """Discount; at 1, the reward at the end of a sentence counts the same for all of its words."""
    gae_lambda: float = 0.95
    """Lambda of generalised advantage estimation."""
    epochs: int = 4
    """Passes over each rollout."""
    minibatches: int = 8
    """Minibatches per pass."""
    clip: float = 0.2
    """Range of probability ratios around 1 that have a gradient."""
    entropy_weight: float = 0.01
    """Weight of the policy's entropy in the loss."""
    value_weight: float = 0.5
    """Weight of the value function's error in the loss."""
    max_gradient_norm: float = 0.5
    """Greatest norm of the gradient; longer gradients are scaled down."""
    eval_sentences: int = 500
    """Number of test sentences on which policies are scored."""


class Agent(nn.Module):
    """A policy and a value function that share no parameters."""

    def __init__(self, observation_size: int, num_actions: int) -> None:
        super().__init__()
        self.policy = _mlp(observation_size, num_actions, last_gain=0.01)
        self.value = _mlp(observation_size, 1, last_gain=1.0)

    def distribution(self, observations: Tensor, masks: Tensor) -> Categorical:
        """Return the distribution of the actions; illegal ones have probability 0."""
        logits = self.policy(observations)
        return Categorical(logits=logits.masked_fill(~masks, torch.finfo(logits.dtype).min))


def _mlp(inputs: int, outputs: int, last_gain: float, hidden: int = 64) -> nn.Sequential:
    layers = [nn.Linear(inputs, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, outputs)]
    for layer, gain in zip(layers, (2**0.5, 2**0.5, last_gain), strict=True):
        nn.init.orthogonal_(layer.weight, gain)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])


@torch.no_grad()
def mean_reward(config: Config, agent: Agent | None) -> float:
    """Return the mean reward of greedy actions per sentence, or of random ones, on the first test sentences."""
    env = gymnasium.make_vec(config.env_id, config.eval_sentences, split="test", autoreset_mode="SameStep")
    observations, infos = env.reset(options={"indices": list(range(config.eval_sentences))})
    returns, running = np.zeros(config.eval_sentences), np.ones(config.eval_sentences, dtype=bool)
    while running.any():
        masks = torch.as_tensor(infos["action_mask"]).bool()
        if agent is None:
            actions = Categorical(masks.float()).sample()
        else:
            actions = agent.distribution(torch.as_tensor(observations), masks).probs.argmax(1)
        observations, reward, terminated, _, infos = env.step(actions.numpy())
        returns += reward * running  # only the first episode of each slot counts
        running &= ~terminated
    env.close()
    return float(returns.mean())


def main(config: Config) -> dict[str, float]:
    """Train, and return mean rewards on the test split: of random actions, and of the agent before and after."""
    random.seed(config.seed)
    np.random.seed(config.seed)  # noqa: NPY002  (for libraries that use it; this file does not)
    torch.manual_seed(config.seed)
    torch.set_num_threads(1)  # for such small products, more threads are no faster, and much slower on shared cores

    env = RecordEpisodeStatistics(gymnasium.make_vec(config.env_id, config.num_envs))
    observation_size = env.single_observation_space.shape[0]
    agent = Agent(observation_size, int(env.single_action_space.n))
    optimizer = torch.optim.Adam(agent.parameters(), lr=config.learning_rate, eps=1e-5)
    scores = {"random": mean_reward(config, None), "before": mean_reward(config, agent)}

    shape = (config.rollout_steps, config.num_envs)
    observations = torch.zeros(*shape, observation_size)
    masks = torch.ones(*shape, int(env.single_action_space.n), dtype=torch.bool)
    actions = torch.zeros(shape, dtype=torch.int64)
    log_probs, rewards, values, advantages = (torch.zeros(shape) for _ in range(4))
    ended = torch.zeros(shape, dtype=torch.bool)  # the step ended its episode
    valid = torch.zeros(shape, dtype=torch.bool)  # the step was a transition, not the reset after an end

    observation, infos = env.reset(seed=config.seed)
    reset_next = torch.zeros(config.num_envs, dtype=torch.bool)
    updates = max(1, config.total_steps // (config.rollout_steps * config.num_envs))
    started = time.perf_counter()
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = config.learning_rate * (1 - update / updates)

        returns: list[float] = []
        for t in range(config.rollout_steps):
            observations[t] = torch.as_tensor(observation)
            masks[t] = torch.as_tensor(infos["action_mask"])
            with torch.no_grad():
                distribution = agent.distribution(observations[t], masks[t])
                actions[t] = distribution.sample()
                log_probs[t] = distribution.log_prob(actions[t])
                values[t] = agent.value(observations[t]).squeeze(1)
            observation, reward, terminated, truncated, infos = env.step(actions[t].numpy())
            rewards[t] = torch.as_tensor(reward)
            # Sentences are never truncated. If your episodes are, add gamma * value(observation) to the last reward.
            ended[t] = torch.as_tensor(terminated | truncated)
            valid[t] = ~reset_next
            reset_next = ended[t].clone()
            if "episode" in infos:
                returns += infos["episode"]["r"][infos["_episode"]].tolist()

        with torch.no_grad():
            next_value = agent.value(torch.as_tensor(observation)).squeeze(1)
            advantage = torch.zeros(config.num_envs)
            for t in reversed(range(config.rollout_steps)):
                # No advantage flows back across an end, so invalid steps do not affect the steps before them.
                goes_on = ~ended[t]
                delta = rewards[t] + config.gamma * goes_on * next_value - values[t]
                advantage = delta + config.gamma * config.gae_lambda * goes_on * advantage
                advantages[t], next_value = advantage, values[t]
            targets = advantages + values

        losses = []
        steps = valid.flatten().nonzero().squeeze(1)
        flat = [x.flatten(0, 1) for x in (observations, masks, actions, log_probs, advantages, targets)]
        for _ in range(config.epochs):
            for batch in steps[torch.randperm(len(steps))].chunk(config.minibatches):
                b_observations, b_masks, b_actions, b_log_probs, b_advantages, b_targets = (x[batch] for x in flat)
                b_advantages = (b_advantages - b_advantages.mean()) / (b_advantages.std() + 1e-8)
                distribution = agent.distribution(b_observations, b_masks)
                ratio = (distribution.log_prob(b_actions) - b_log_probs).exp()
                clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
                policy_loss = -torch.min(ratio * b_advantages, clipped * b_advantages).mean()
                value_loss = (agent.value(b_observations).squeeze(1) - b_targets).square().mean() / 2
                entropy = distribution.entropy().mean()
                loss = policy_loss + config.value_weight * value_loss - config.entropy_weight * entropy
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), config.max_gradient_norm)
                optimizer.step()
                losses.append((policy_loss.item(), value_loss.item(), entropy.item()))

        if update % 5 == 0 or update == updates - 1:
            done = (update + 1) * config.rollout_steps * config.num_envs
            policy_loss_, value_loss_, entropy_ = np.mean(losses, axis=0)
            print(
                f"{done:>8} steps  return {np.mean(returns):+.3f}  entropy {entropy_:.3f}  policy {policy_loss_:+.4f}  "
                f"value {value_loss_:.4f}  {done / (time.perf_counter() - started):,.0f} steps/s"
            )

    env.close()
    scores["after"] = mean_reward(config, agent)
    print("mean reward on the test split:", ", ".join(f"{name} {score:+.3f}" for name, score in scores.items()))
    return scores


if __name__ == "__main__":
    main(tyro.cli(Config))
