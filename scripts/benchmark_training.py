"""Measure the speed of the phases of training on real sentences, next to a plain GEMM and `nn.LSTMCell` in one process.

The floor is the least arithmetic if every episode is stepped on its own. It counts 8 d e operations per word for the
input projection, once per sentence. Per episode, it adds 8 d^2 for each word-level step and 16 d^2 for each phrase. A
backward pass counts twice its forward pass. The samples of a sentence share the first word of a phrase, and in training
every common phrase, so training can beat this floor. `performed` counts what rollouts really multiply.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from measuring import cell_calls, gemm_rate, median_seconds
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from hs_env.agents import Reinforce, ReinforceParameters, make_baseline, rollout
from hs_env.compute import prepare
from hs_env.models import HSLSTM
from hs_env.problems.segmentation import SEGMENTATION
from hs_env.rewards import HSLSTMReward
from hs_env.training.classifier_optimizer import ClassifierOptimizer
from hs_env.training.config import ResolvedConfig, TrainConfig
from hs_env.training.data import TrainingData, training_batches
from hs_env.types import SentenceBatch
from hs_env.vectors import WordVectors

# Sentences per second of the authors' code, on two threads and pinned to one core, which is faster. The machine has two
# cores and makes 10,044 calls per second of LSTMCell(300, 300) at batch size 1.
AUTHORS_SIZE, AUTHORS_CELL_CALLS = 300, 10_044
AUTHORS = {"joint": (3.5, 4.7), "P-Net alone": (4.2, 6.5), "warm start": (15.5, 15.5), "greedy evaluation": (28, 52)}
_GEMM = ("aten::mm", "aten::addmm", "aten::addmm_")
_MOVES = ("aten::index_select", "aten::index_copy_", "aten::copy_", "aten::cat", "aten::index", "aten::index_add_")


@dataclass
class Phase:
    """Holds the measurements of one phase, from the median time of each of its batches."""

    name: str
    seconds: float
    sentences_per_second: float
    steps_per_second: float
    share_of_gemm: float
    performed_share_of_gemm: float | None = None
    times_authors: float | None = None
    times_authors_best: float | None = None


def floor(d: int, e: int, words: int, steps: int, phrases: int) -> int:
    """Count the operations of one forward pass; see the docstring of the module."""
    return 8 * d * e * words + 8 * d * d * steps + 16 * d * d * phrases


def measure(config: ResolvedConfig, sentences: int, samples: int, batches: int) -> dict[str, Any]:
    """Measure all phases on `batches` batches of real sentences."""
    data = TrainingData.load(config)
    torch.manual_seed(config.seed)
    classifier = ClassifierOptimizer(data.new_model(HSLSTM, config), 0.1, 5.0)
    parameters = ReinforceParameters(samples=samples, learning_rate=1e-9)
    agent = Reinforce(classifier.fast.state_size, SEGMENTATION, parameters)
    train = data.splits["train"]
    chosen = [train.batch(indices) for indices in training_batches(train, sentences, config.seed)[:batches]]
    chosen = [batch for batch in chosen if len(batch) == sentences]
    warm_start, reward = make_baseline(config.warm_start, data.vocabulary, SEGMENTATION), HSLSTMReward()
    assert isinstance(data.vectors, WordVectors)
    d, e = int(config.model_parameters["hidden_size"]), data.vectors.matrix.shape[1]
    rate, calls = gemm_rate(sentences * samples, d), cell_calls(d)

    def plan(batch: SentenceBatch) -> torch.Tensor:
        actions: torch.Tensor = warm_start.plan(batch) * batch.mask  # type: ignore[attr-defined]
        return actions.scatter(1, batch.lengths[:, None] - 1, 1)

    def joint(batch: SentenceBatch, kept: int | None = None) -> torch.Tensor:
        episodes = agent.update(classifier.slow, batch, reward).episodes
        trained = episodes.first(kept, len(batch))
        classifier.update(1e-9, trained.sentences.labels, batch, trained.actions)
        return episodes.actions

    def sampled(batch: SentenceBatch) -> torch.Tensor:
        with torch.no_grad():
            return rollout(classifier.slow, agent, batch, samples=samples).episodes.actions

    def greedy(batch: SentenceBatch) -> torch.Tensor:
        with torch.no_grad():
            return rollout(classifier.slow, agent, batch, deterministic=True).episodes.actions

    def warm(batch: SentenceBatch) -> torch.Tensor:
        actions = plan(batch)
        classifier.update(1e-9, batch.labels, batch, actions)
        return actions

    def alone(batch: SentenceBatch) -> torch.Tensor:
        return agent.update(classifier.slow, batch, reward).episodes.actions

    passes = {  # name: (call, forward passes in its floor, of them those of the first sample of a sentence alone)
        "sampling rollouts": (sampled, 1, 0),
        "P-Net alone": (alone, 1, 0),
        "warm start": (warm, 3, 0),
        "joint": (joint, 4, 0),
        "joint, one sample trains the C-Net": (lambda batch: joint(batch, 1), 1, 3),
        "greedy evaluation": (greedy, 1, 0),
    }
    phases = []
    for name, (call, forward, of_first) in passes.items():
        seconds, operations, performed, steps, read = [], 0, 0, 0, 0
        for batch in train.batches(512) if name == "greedy evaluation" else chosen:
            actions = call(batch)
            words = int(batch.lengths.sum())
            rows = words * len(actions) // len(batch)
            phrases = int(actions.sum())
            operations += forward * floor(d, e, words, rows, phrases)
            first = actions[:: len(actions) // len(batch)]
            operations += of_first * floor(d, e, words, words, int(first.sum()))
            performed += floor(d, e, words, rows - phrases, phrases)
            steps, read = steps + rows, read + len(batch)
            seconds.append(median_seconds(lambda call=call, batch=batch: call(batch), 5))  # type: ignore[misc]
        total = sum(seconds)
        phase = Phase(name, total, read / total, steps / total, operations / total / rate)
        if forward == 1 and not of_first:
            phase.performed_share_of_gemm = performed / total / rate
        if d == AUTHORS_SIZE and (authors := AUTHORS.get(name.partition(",")[0])) is not None:
            scale = calls / AUTHORS_CELL_CALLS
            phase.times_authors, phase.times_authors_best = (phase.sentences_per_second / (a * scale) for a in authors)
        phases.append(phase)
    return {
        "gemm_gflops": rate / 1e9,
        "lstm_cell_calls_per_second": calls,
        "phases": [asdict(phase) for phase in phases],
        "where_time_goes": {name: shares(lambda call=call: call(chosen[0])) for name, (call, _, _) in passes.items()},  # type: ignore[misc]
    }


def shares(call: Callable[[], Any]) -> dict[str, float]:
    """Split the time of a call into shares: products, moving rows, other operators, the rest (Python and dispatch)."""
    call()
    begun = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        call()
    elapsed = time.perf_counter() - begun
    spent = {entry.key: entry.self_cpu_time_total * 1e-6 for entry in profiler.key_averages()}
    products = sum(spent.get(name, 0.0) for name in _GEMM)
    moves = sum(spent.get(name, 0.0) for name in _MOVES)
    others = sum(value for name, value in spent.items() if name.startswith("aten::")) - products - moves
    parts = {"products": products, "moving rows": moves, "element-wise": others}
    parts["Python and dispatch"] = max(0.0, elapsed - sum(parts.values()))
    return {name: value / sum(parts.values()) for name, value in parts.items()}


def import_seconds() -> dict[str, Any]:
    """Measure `import hs_env` in a fresh interpreter, and find out whether it imports torch."""
    timed = "t = time.perf_counter(); import hs_env; print(time.perf_counter() - t, 'torch' in sys.modules)"
    code = f"import sys, time; {timed}"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    seconds, torch_too = zip(*(run.stdout.split() for run in runs), strict=True)
    return {"median_seconds": statistics.median(map(float, seconds)), "imports_torch": torch_too[0] == "True"}


def benchmark_training(
    corpus: str = "movie_reviews",
    hidden_size: int = 300,
    sentences: int = 128,
    samples: int = 5,
    batches: int = 12,
    threads: int = 0,
) -> None:
    """Measure the speed of the phases of training; print it.

    Args:
        corpus: Corpus to measure on.
        hidden_size: Hidden size d of the classifier.
        sentences: Sentences per batch.
        samples: Episodes per sentence.
        batches: Number of batches to measure.
        threads: Threads of torch; 0 lets torch choose.
    """
    prepare(threads)
    config = TrainConfig(corpus=corpus, model_parameters={"hidden_size": hidden_size}).resolve()
    result = measure(config, sentences, samples, batches) | {"import": import_seconds()}
    console = Console(width=120)
    console.print(
        f"GEMM {result['gemm_gflops']:.0f} GFLOP/s, LSTMCell {result['lstm_cell_calls_per_second']:,.0f} calls/s"
    )
    table = Table("Phase", "Sentences/s", "Steps/s", "Of GEMM rate", "Performed", "x authors", "x their best", box=None)
    for phase in result["phases"]:
        row = [phase["name"], f"{phase['sentences_per_second']:,.0f}", f"{phase['steps_per_second']:,.0f}"]
        row += [
            "" if phase[key] is None else f"{phase[key]:.2f}" for key in ("share_of_gemm", "performed_share_of_gemm")
        ]
        row += ["" if phase[key] is None else f"{phase[key]:,.0f}" for key in ("times_authors", "times_authors_best")]
        table.add_row(*row)
    console.print(table)
    for name, parts in result["where_time_goes"].items():
        console.print(f"{name}: " + ", ".join(f"{part} {share:.0%}" for part, share in parts.items()), highlight=False)
    console.print(f"import hs_env: {result['import']}")
