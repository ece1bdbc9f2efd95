"""What the algorithms of Stable-Baselines3 learn on `phrases` in a given number of steps, over several seeds.

Each learns with its defaults (`agents/sb3.toml`) on the native vector environment, on the frozen classifier that ships
with the package. Greedy policies are scored on the test split, next to random actions and the gold phrases.
"""

from __future__ import annotations

import time
from statistics import mean

import gymnasium
import torch
import tyro
from rich.console import Console
from rich.progress import track

import hs_env
from hs_env.agents import ALGORITHMS, Agent, SB3Agent, make_baseline, rollout
from hs_env.agents.sb3 import sb3_algorithm, sb3_defaults
from hs_env.envs.phrase_segmentation import PhraseSegmentationEnv
from hs_env.interop.sb3 import SB3VecEnv

gymnasium.register_envs(hs_env)


def score(agent: Agent) -> float:
    """Mean reward of the agent's greedy policy on the test split."""
    resources = PhraseSegmentationEnv(split="test")._resources
    batch = resources.encoded.batch(torch.arange(len(resources.encoded)))
    generator = torch.Generator().manual_seed(0)
    episodes = rollout(resources.encoder, agent, batch, deterministic=True, generator=generator).episodes
    return resources.reward(episodes).total.mean().item()


def learn(name: str, steps: int, slots: int, seed: int) -> tuple[float, float]:
    """The score of an algorithm after some steps, and the seconds that it took to learn."""
    env = gymnasium.make_vec("hs_env/PhraseSegmentation-v0", num_envs=slots, autoreset_mode="SameStep")
    model = sb3_algorithm(name)(env=SB3VecEnv(env), device="cpu", seed=seed, **sb3_defaults()[name])  # type: ignore[call-arg]
    begun = time.perf_counter()
    model.learn(steps)
    return score(SB3Agent(model.policy)), time.perf_counter() - begun


def main(
    agents: tuple[str, ...] = tuple(ALGORITHMS), steps: int = 200_000, slots: int = 64, seeds: int = 3, threads: int = 1
) -> None:
    """Print a table in markdown.

    Args:
        agents: The algorithms.
        steps: Words that each decides while it learns.
        slots: Sentences side by side.
        seeds: Seeds from 0.
        threads: Threads of torch; these products are too small to share.
    """
    torch.set_num_threads(threads)
    vocabulary = PhraseSegmentationEnv()._resources.classifier.vocabulary
    print("| agent | mean reward | seeds | seconds |\n|:--|--:|:--|--:|")
    for name in ("random", "gold"):
        print(f"| {name} | {score(make_baseline(name, vocabulary)):.2f} | | |")
    for name in agents:
        runs = track(range(seeds), name, console=Console(stderr=True), transient=True)
        scores, seconds = zip(*(learn(name, steps, slots, seed) for seed in runs), strict=True)
        each = ", ".join(f"{value:.2f}" for value in scores)
        print(f"| {name} | {mean(scores):.2f} | {each} | {mean(seconds):.0f} |", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
