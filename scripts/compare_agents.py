"""Compare what the algorithms of Stable-Baselines3 learn on `phrases` in a given number of steps, over several seeds.

Each algorithm trains with its defaults (`agents/sb3.toml`) on the native vector environment, which uses the frozen
classifier that ships with the package. Greedy policies are scored on the test split, next to random actions and the
gold phrases.
"""

from __future__ import annotations

import time
from functools import cache
from statistics import mean

import gymnasium
import torch
from command import run_script
from rich.console import Console
from rich.progress import track

import hs_env
from hs_env.agents import ALGORITHMS, Agent, SB3Agent, make_baseline, rollout
from hs_env.agents.sb3 import sb3_algorithm, sb3_defaults
from hs_env.corpora import load_corpus
from hs_env.interop.sb3 import SB3VecEnv
from hs_env.models import Classifier
from hs_env.models.encoder import StructuredEncoder
from hs_env.problems.segmentation import SEGMENTATION
from hs_env.rewards import make_reward
from hs_env.types import SentenceBatch

gymnasium.register_envs(hs_env)

# These are the defaults of the environment.
CLASSIFIER = CORPUS = "phrases"
REWARD = "hs_lstm"


@cache
def frozen_classifier() -> Classifier:
    """Load the classifier that the environment uses."""
    classifier = Classifier.load(CLASSIFIER)
    classifier.model.requires_grad_(False)
    return classifier


@cache
def test_sentences() -> SentenceBatch:
    """Load the sentences of the test split as one batch."""
    return frozen_classifier().batch(load_corpus(CORPUS).splits["test"])


def score(agent: Agent) -> float:
    """Return the mean reward of the agent's greedy policy on the test split."""
    generator = torch.Generator().manual_seed(0)
    encoder = frozen_classifier().model
    assert isinstance(encoder, StructuredEncoder)
    episodes = rollout(encoder, agent, test_sentences(), deterministic=True, generator=generator).episodes
    return make_reward(REWARD)(episodes).total.mean().item()


def learn(name: str, steps: int, slots: int, seed: int) -> tuple[float, float]:
    """Train an algorithm for some steps; return its score and the seconds of training."""
    env = gymnasium.make_vec("hs_env/PhraseSegmentation-v0", num_envs=slots, autoreset_mode="SameStep")
    model = sb3_algorithm(name)(env=SB3VecEnv(env), device="cpu", seed=seed, **sb3_defaults()[name])
    begun = time.perf_counter()
    model.learn(steps)
    seconds = time.perf_counter() - begun
    return score(SB3Agent(model.policy)), seconds


def main(
    agents: tuple[str, ...] = tuple(ALGORITHMS), steps: int = 200_000, slots: int = 64, seeds: int = 3, threads: int = 1
) -> None:
    """Train the algorithms and print their scores as a Markdown table.

    Args:
        agents: Names of the algorithms.
        steps: Words that each algorithm decides during training.
        slots: Number of slots of the vector environment.
        seeds: Number of seeds, counted from 0.
        threads: Threads of torch; its products are too small here for more than one.
    """
    torch.set_num_threads(threads)
    vocabulary = frozen_classifier().vocabulary
    print("| agent | mean reward | seeds | seconds |\n|:--|--:|:--|--:|")
    for name in ("random", "gold"):
        print(f"| {name} | {score(make_baseline(name, vocabulary, SEGMENTATION)):.2f} | | |")
    for name in agents:
        runs = track(range(seeds), name, console=Console(stderr=True), transient=True)
        scores, seconds = zip(*(learn(name, steps, slots, seed) for seed in runs), strict=True)
        each = ", ".join(f"{value:.2f}" for value in scores)
        print(f"| {name} | {mean(scores):.2f} | {each} | {mean(seconds):.0f} |", flush=True)


if __name__ == "__main__":
    run_script(main)
