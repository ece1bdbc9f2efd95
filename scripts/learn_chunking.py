"""Learn where chunks end in `hs_env/Chunking-v0`, by REINFORCE or by Stable-Baselines3, and compare with baselines.

    python scripts/learn_chunking.py reinforce --seeds 0 1 2
    python scripts/learn_chunking.py maskable_ppo --updates 400

Prints a table: reward and gain per character, boundary rate, share of the spaces with a boundary and of the boundaries
at spaces. Baselines are no chunks but the first and the last, the spaces, every five characters, and chance: with fixed
probabilities, and at the rate of each learned policy.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import gymnasium
import torch
import tyro
from command import run_script

import hs_env
from hs_env.agents import Agent, Reinforce, make_baseline, rollout
from hs_env.agents.reinforce import ReinforceParameters
from hs_env.compute import generator_for
from hs_env.corpora.encoded import EncodedSplit
from hs_env.envs.resources import NamedResources
from hs_env.interop.sb3 import SB3VecEnv
from hs_env.problems.chunking import CHUNKING
from hs_env.training.data import training_batches

ID = "hs_env/Chunking-v0"
DISCOUNT = 0.95
gymnasium.register_envs(hs_env)


@dataclass(frozen=True)
class Figures:
    """What a policy does on a split, per character."""

    reward: float
    gain: float
    rate: float
    spaces: float
    at_spaces: float

    def __str__(self) -> str:
        shares = (f"{100 * each:6.1f}%" for each in (self.rate, self.spaces, self.at_spaces))
        return f"{self.reward:8.4f} {self.gain:8.4f} {' '.join(shares)}"


@torch.no_grad()
def judge(resources: NamedResources, agent: Agent, deterministic: bool = False) -> Figures:
    """Measure a policy on every third line of the environment's split, which is precise enough and cheaper."""
    sums = torch.zeros(6, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    lines = resources.encoded.batch(torch.arange(0, len(resources.encoded), 3))
    for batch in EncodedSplit.from_batch(lines).batches(128):
        made = rollout(resources.encoder, agent, batch, deterministic=deterministic, generator=generator)
        earned = resources.reward(made.episodes)
        counts = CHUNKING.counts(made.episodes.actions, batch)
        found = [earned.total, earned.terms["gain"], batch.lengths, *counts.values()]
        sums += torch.tensor([each.sum().item() for each in found], dtype=torch.float64)
    reward, gain, characters, chunks, spaces, at_spaces = sums.tolist()
    return Figures(reward / characters, gain / characters, chunks / characters, at_spaces / spaces, at_spaces / chunks)


def reinforce(resources: NamedResources, updates: int, seed: int) -> Reinforce:
    """Train a P-Net on random batches of 16 lines, with 4 samples of each."""
    torch.manual_seed(seed)
    parameters = ReinforceParameters(samples=4, discount=DISCOUNT, learning_rate=5e-3, entropy_bonus=0.001)
    agent = Reinforce(resources.encoder.state_size, CHUNKING, parameters)
    units = (unit for epoch in range(updates) for unit in training_batches(resources.encoded, 16, seed, epoch))
    for number, unit in zip(range(updates), units, strict=False):
        batch = resources.encoded.batch(unit)
        agent.update(resources.encoder, batch, resources.reward, generator=generator_for(seed, number))
    return agent


def stable(kind: str, updates: int, seed: int, price: float) -> Agent:
    """Train the policy of a Stable-Baselines3 algorithm on 32 slots."""
    from sb3_contrib import MaskablePPO
    from stable_baselines3 import PPO

    from hs_env.agents.sb3 import SB3Agent

    envs = SB3VecEnv(gymnasium.make_vec(ID, 32, autoreset_mode="SameStep", reward_parameters={"price": price}))
    algorithm = {"ppo": PPO, "maskable_ppo": MaskablePPO}[kind]
    settings: dict[str, Any] = {"n_steps": 64, "batch_size": 256, "n_epochs": 4, "learning_rate": 1e-3}
    model = algorithm("MlpPolicy", envs, gamma=DISCOUNT, gae_lambda=0.9, seed=seed, device="cpu", **settings)
    if updates:
        model.learn(updates * 32 * 64)
    return SB3Agent(model)


def main(
    agent: tyro.conf.Positional[Literal["reinforce", "ppo", "maskable_ppo", "baselines"]],
    seeds: tuple[int, ...] = (0,),
    updates: int = 1200,
    price: float = 0.02,
    split: Literal["dev", "test"] = "dev",
) -> None:
    """Train and compare.

    Args:
        agent: Learner; `baselines` trains nothing.
        seeds: Seeds of the runs.
        updates: Updates of REINFORCE, of 16 lines with 4 samples each; or of PPO, of 2,048 steps each.
        price: Price of a chunk in the reward, in nats.
        split: Split that policies are measured on.
    """
    torch.set_num_threads(1)
    train, held = (
        gymnasium.make(ID, split=name, reward_parameters={"price": price}).unwrapped.resources  # type: ignore[attr-defined]
        for name in ("train", split)
    )
    vocabulary = train.classifier.vocabulary
    print(f"{'':>24} {'reward':>8} {'gain':>8} {'rate':>7} {'spaces':>7} {'at them':>7}")

    def row(name: str, policy: Agent, deterministic: bool = False) -> Figures:
        found = judge(held, policy, deterministic)
        print(f"{name:>24} {found}", flush=True)
        return found

    def baseline(name: str, **parameters: Any) -> Agent:
        return make_baseline(name, vocabulary, CHUNKING, **parameters)

    forced = row("all inside", baseline("all_inside")).rate
    row("spaces", baseline("spaces"))
    row("every 5", baseline("every_k", k=5))
    row("random 0.2", baseline("random", p=0.2))
    row("random 0.5", baseline("random", p=0.5))
    for seed in seeds if agent != "baselines" else ():
        before = reinforce(train, 0, seed) if agent == "reinforce" else stable(agent, 0, seed, price)
        row(f"{agent} {seed}, before", before)
        begun = time.process_time()
        learned = reinforce(train, updates, seed) if agent == "reinforce" else stable(agent, updates, seed, price)
        seconds = time.process_time() - begun
        found = row(f"{agent} {seed}, samples", learned)
        row(f"{agent} {seed}, greedy", learned, deterministic=True)
        free = (found.rate - forced) / (1 - forced)  # the first and the last character end a chunk in any case
        row("random at this rate", baseline("random", p=min(max(free, 0.0), 1.0)))
        print(f"{'':>24} {seconds:.0f} s of one core")


if __name__ == "__main__":
    run_script(main)
