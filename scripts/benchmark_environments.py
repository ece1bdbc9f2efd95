"""Measure the speed of the environments on real sentences, next to a plain GEMM and `nn.LSTMCell` in one process.

The floor is the least arithmetic of a step if sentences share nothing: 8 d^2 operations for a word that continues its
phrase, 16 d^2 for a word that ends it. It becomes a time at the rate of a plain GEMM with one row per slot.
Measurements that are compared alternate, so that a slower machine slows both. Actions are random.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import VectorEnv
from measuring import gemm_rate
from rich.console import Console
from rich.table import Table
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import CallbackList
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
from torch import nn

import hs_env
from hs_env.compute import prepare
from hs_env.corpora import load_corpus
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.envs.vector import EncoderVectorEnv
from hs_env.interop.sb3 import SB3VecEnv
from hs_env.models import HSLSTM, Classifier

gymnasium.register_envs(hs_env)
ID = "hs_env/PhraseSegmentation-v0"
SLOTS = (1, 4, 16, 64, 256, 1024)


def save_classifier(folder: Path, corpus: str, hidden_size: int) -> None:
    """Save an untrained classifier for the words of a corpus; it is as fast as a trained one."""
    read = load_corpus(corpus)
    vocabulary = Vocabulary.from_sentences([sentence for split in read.splits.values() for sentence in split])
    torch.manual_seed(0)
    model = HSLSTM(len(vocabulary), len(read.labels), 50, hidden_size)
    Classifier(model, vocabulary, read.labels, read.tokenisation, {}).save(folder / "classifier.safetensors")


class Steps:
    """Steps a vector environment with random actions; records time and arithmetic of each step."""

    def __init__(self, env: VectorEnv[Any, Any, Any], hidden_size: int) -> None:
        self.env, self.hidden_size, self.draw = env, hidden_size, np.random.default_rng(0)
        self.seconds: list[float] = []
        self.operations: list[int] = []
        _, self.infos = env.reset(seed=0)

    def take(self, steps: int, count: bool = True) -> None:
        """Take some steps; record them if `count`, otherwise they only warm up."""
        for _ in range(steps):
            actions = self.draw.integers(2, size=self.env.num_envs)
            reading = self.infos["position"] < self.infos["length"]
            ended = (actions == 1) | (self.infos["position"] == self.infos["length"] - 1)
            begun = time.perf_counter()
            self.infos = self.env.step(actions)[4]
            spent = time.perf_counter() - begun
            if count:
                cells = 2 * int((ended & reading).sum()) + int((~ended & reading).sum())
                self.seconds.append(spent)
                self.operations.append(8 * self.hidden_size**2 * cells)

    @property
    def rate(self) -> float:
        """Return steps of single sentences per second, from the median time of a step."""
        return self.env.num_envs / median(self.seconds)

    def share(self, gemm: float) -> float:
        """Return the time of the floor at a GEMM rate as a share of the time spent; both are medians."""
        return median(self.operations) / gemm / median(self.seconds)


def against_sync(make: Callable[..., VectorEnv[Any, Any, Any]], slots: int, d: int, rounds: int) -> dict[str, float]:
    """Compare the native vector environment with a `SyncVectorEnv` of the same number of slots."""
    native, sync = Steps(make(slots), d), Steps(make(slots, vectorization_mode="sync"), d)
    native.take(30, count=False)
    rates = []
    for _ in range(rounds):
        native.take(30)
        sync.take(3)
        rates.append(gemm_rate(slots, d))
    return {
        "native steps/s": native.rate,
        "SyncVectorEnv steps/s": sync.rate,
        "ratio": native.rate / sync.rate,
        "GEMM GFLOP/s": median(rates) / 1e9,
        "floor as a share of the time": native.share(median(rates)),
    }


def single_against_cells(env: gymnasium.Env[Any, Any], d: int, e: int, episodes: int) -> dict[str, float]:
    """Compare the steps of a single environment with the fewest bare `LSTMCell` calls that they need.

    Each word needs one call at the word level, and each phrase that ends one call at the phrase level.
    """
    draw, state = np.random.default_rng(0), (torch.zeros(1, d), torch.zeros(1, d))
    word, phrase = nn.LSTMCell(e, d), nn.LSTMCell(d, d)
    x, h = torch.randn(1, e), torch.randn(1, d)
    stepping, calling = list[float](), list[float]()
    env.reset(seed=0)
    for _ in range(episodes):
        env.reset()
        terminated = False
        spent = called = 0.0
        while not terminated:
            action = int(draw.integers(2))
            begun = time.perf_counter()
            _, _, terminated, _, _ = env.step(action)
            between = time.perf_counter()
            with torch.inference_mode():
                word(x, state)
                if action or terminated:
                    phrase(h, state)
            spent, called = spent + between - begun, called + time.perf_counter() - between
        stepping.append(spent)
        calling.append(called)
    ratios = [spent / called for spent, called in zip(stepping, calling, strict=True)]
    return {"seconds": sum(stepping), "bare cells": sum(calling), "ratio": median(ratios)}


def collecting(native: VecEnv, dummy: VecEnv, n_steps: int, rounds: int) -> dict[str, float]:
    """Compare the frames per second of PPO's rollouts on both; measure its optimisation separately."""
    seconds: dict[str, list[float]] = {"native": [], "dummy": [], "optimisation": []}
    environments = {"native": native, "dummy": dummy}
    models = {
        name: PPO("MlpPolicy", env, n_steps=n_steps, gamma=1.0, device="cpu", seed=0)
        for name, env in environments.items()
    }
    for model in models.values():
        model.learn(0)  # collects nothing, but sets up what collect_rollouts() needs
    for number in range(rounds + 1):
        for name, model in models.items():
            callback = CallbackList([])
            callback.init_callback(model)
            begun = time.perf_counter()
            model.collect_rollouts(environments[name], callback, model.rollout_buffer, n_steps)
            if number:
                seconds[name].append(time.perf_counter() - begun)
        begun = time.perf_counter()
        models["native"].train()
        seconds["optimisation"].append(time.perf_counter() - begun)
    frames = n_steps * native.num_envs
    rates = {name: frames / median(seconds[name]) for name in ("native", "dummy")}
    return {
        "SB3VecEnv frames/s": rates["native"],
        "DummyVecEnv frames/s": rates["dummy"],
        "ratio": rates["native"] / rates["dummy"],
        "optimisation frames/s": frames / median(seconds["optimisation"]),
    }


def curve(make: Callable[..., VectorEnv[Any, Any, Any]], d: int, steps: int) -> list[dict[str, float]]:
    """Measure steps per second and memory for increasing numbers of slots."""
    rows = []
    for slots in SLOTS:
        env = make(slots)
        measured = Steps(env, d)
        measured.take(20, count=False)
        measured.take(steps)
        assert isinstance(env.unwrapped, EncoderVectorEnv)
        memory = env.unwrapped.nbytes / slots
        share = measured.share(gemm_rate(slots, d))
        rows.append({"slots": slots, "steps/s": measured.rate, "share": share, "kB/slot": memory / 1024})
    return rows


def benchmark_environments(
    corpus: str = "movie_reviews",
    hidden_size: int = 300,
    slots: int = 256,
    rounds: int = 8,
    threads: int = 0,
) -> None:
    """Measure the speed of single and vector environments; print it.

    Args:
        corpus: Corpus to measure on.
        hidden_size: Hidden size d of the classifier.
        slots: Number of slots of the vector environments that are compared.
        rounds: Number of alternations per comparison.
        threads: Threads of torch; 0 lets torch choose.
    """
    prepare(threads)
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as folder:
        save_classifier(Path(folder), corpus, hidden_size)
        names: dict[str, Any] = {"corpus": corpus, "classifier": folder}

        def make(count: int, **more: Any) -> VectorEnv[Any, Any, Any]:
            return gymnasium.make_vec(ID, count, **names, **more)

        single = gymnasium.make(ID, **names).unwrapped
        native = SB3VecEnv(make(slots, autoreset_mode="SameStep"))
        dummy = DummyVecEnv([lambda: gymnasium.make(ID, **names)] * slots)
        result: dict[str, Any] = {
            "native against SyncVectorEnv": against_sync(make, slots, hidden_size, rounds),
            "single against bare cells": single_against_cells(single, hidden_size, 50, 20 * rounds),
            "collecting PPO rollouts": collecting(native, dummy, 16, max(2, rounds // 3)),
            "slots": curve(make, hidden_size, 5 * rounds),
        }
    for title in list(result)[:3]:
        console.print(f"[bold]{title}[/]: " + ", ".join(f"{k} {v:,.4g}" for k, v in result[title].items()))
    table = Table("Slots", "Steps/s", "Floor / time", "kB a slot", box=None)
    for row in result["slots"]:
        table.add_row(f"{row['slots']}", f"{row['steps/s']:,.0f}", f"{row['share']:.2f}", f"{row['kB/slot']:.1f}")
    console.print(table)
