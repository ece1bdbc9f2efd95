"""Measure what grows with the vocabulary and with the corpus: updates, checkpoints, loading, memory, environments.

Every measurement has a process of its own, so that the highest memory use is that of the measurement.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import gymnasium
import numpy as np
import torch
from measuring import median_seconds
from rich.console import Console
from rich.table import Table

import hs_env  # noqa: F401 - registers the environments
from hs_env.compute import generator_for, prepare
from hs_env.models import HSLSTM, Classifier, PlainLSTM
from hs_env.storage import save_state
from hs_env.training import TrainConfig
from hs_env.training.classifier_optimizer import ClassifierOptimizer
from hs_env.training.data import TrainingData, training_batches
from hs_env.types import SentenceBatch

_WIDTH, _HIDDEN, _WORDS = 100, 100, 20
_BATCH = 64
_TYPES = 200_000
"""Number of words of the generated sentences, which follow Zipf's law."""


def benchmark_vocabulary(
    words: tuple[int, ...] = (20_000, 1_000_000),
    sentences: tuple[int, ...] = (10_000, 100_000, 1_000_000),
    updates: int = 30,
) -> None:
    """Measure updates by the size of the vocabulary, and loading by the size of the corpus; print them.

    Args:
        words: Sizes of the vocabulary.
        sentences: Numbers of sentences of a corpus of 20 words per sentence.
        updates: Number of updates to measure, of 64 sentences each, after 5 others.
    """
    console = Console(width=120)
    tables = [alone(measure_updates, size, updates, deferred) for size in words for deferred in (False, True)]
    table = Table("Words", "Rows", "Sentences/s", "Checkpoint, MB", "Written in, s", "Peak memory, MB", box=None)
    for row in tables:
        figures = (row["sentences_per_second"], row["megabytes"], row["seconds"], row["peak_megabytes"])
        table.add_row(f"{row['words']:,}", row["rows"], *(f"{figure:,.1f}" for figure in figures))
    console.print(table)
    rates = {(row["words"], row["rows"]): row["sentences_per_second"] for row in tables}
    own = [rates[size, "as trained"] for size in words]
    console.print(f"rate at {words[-1]:,} words / rate at {words[0]:,} words, as trained: {own[-1] / own[0]:.2f}")
    corpora = []
    with TemporaryDirectory() as folder:
        for count in sentences:
            path = Path(folder, f"{count}.csv")
            write_sentences(path, count)
            corpora.append(alone(measure_corpus, path, updates) | alone(measure_environment, path))
    table = Table("", *(f"{count:,} sentences" for count in sentences), "largest growth per tenfold", box=None)
    for name in corpora[0]:
        values = [corpus[name] for corpus in corpora]
        growth = [
            (after / before) ** (np.log(10) / np.log(more / fewer))
            for before, after, fewer, more in zip(values, values[1:], sentences, sentences[1:], strict=False)
        ]
        table.add_row(name, *(f"{value:,.2f}" for value in values), f"{max(growth, default=1):.1f}")
    console.print(table)


def alone(measure: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Call a function in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def peak() -> float:
    """Return the highest memory use of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def measure_updates(words: int, updates: int, deferred: bool) -> dict[str, Any]:
    """Measure updates of a plain LSTM on random words, and one checkpoint; without `deferred`, of all rows at once."""
    prepare(1)
    torch.manual_seed(0)
    with nullcontext() if deferred else patch("hs_env.training.classifier_optimizer.LARGE", words + 1):
        optimizer = ClassifierOptimizer(PlainLSTM(words, 2, _WIDTH, _HIDDEN, 0.6, 0.2), 0.02, 5.0)
    batches = [random_batch(words, number) for number in range(updates + 5)]
    for batch in batches[:5]:
        optimizer.update(1e-3, batch.labels, batch)
    begun = time.process_time()
    for batch in batches[5:]:
        optimizer.update(1e-3, batch.labels, batch)
    rate = updates * _BATCH / (time.process_time() - begun)
    with TemporaryDirectory() as folder:
        path, begun = Path(folder, "checkpoint"), time.process_time()
        save_state(path, "checkpoint", optimizer.state_dict())
        seconds, size = time.process_time() - begun, path.stat().st_size / 1e6
    name = "as trained" if deferred else "all at once"
    figures = {"sentences_per_second": rate, "megabytes": size, "seconds": seconds, "peak_megabytes": peak()}
    return {"words": words, "rows": name, **figures}


def random_batch(words: int, number: int) -> SentenceBatch:
    """Draw a batch of sentences of 20 words each, all words with the same probability."""
    generator = generator_for(0, "batch", number)
    tokens = torch.randint(2, words, (_BATCH, _WORDS), generator=generator)
    labels = torch.randint(0, 2, (_BATCH,), generator=generator)
    return SentenceBatch(tokens, torch.full((_BATCH,), _WORDS), labels, torch.arange(_BATCH))


def write_sentences(path: Path, count: int) -> None:
    """Write sentences of 8 to 32 words with random labels as CSV."""
    dice = np.random.default_rng(0)
    lengths, labels = dice.integers(8, 33, count), dice.integers(0, 2, count)
    with path.open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        for length, label in zip(lengths.tolist(), labels.tolist(), strict=True):
            words = (dice.zipf(1.1, length) % _TYPES).tolist()
            file.write(" ".join(map("w{}".format, words)) + f",{'np'[label]}\n")


def measure_corpus(path: Path, updates: int) -> dict[str, Any]:
    """Measure loading, digests, and updates of a plain LSTM; save a random classifier with the words of the corpus.

    The time of an epoch is that of `updates` updates times the number of updates of an epoch.
    """
    prepare(1)
    config = TrainConfig(corpus=str(path), vectors=f"random:{_WIDTH}", model_parameters={"hidden_size": _HIDDEN})
    config, begun = config.resolve(), time.process_time()
    data = TrainingData.load(config)
    loaded = time.process_time()
    assert data.digests and data.digest  # noqa: PT018
    digested, train = time.process_time(), data.splits["train"]
    optimizer = ClassifierOptimizer(data.new_model(PlainLSTM, config), config.tau, config.clip_norm)
    batches = training_batches(train, _BATCH, 0)
    ordered = time.process_time()
    for indices in batches[:updates]:
        batch = train.batch(indices)
        optimizer.update(1e-3, batch.labels, batch)
    each = (time.process_time() - ordered) / min(updates, len(batches))
    figures = {
        "words in the vocabulary": len(data.vocabulary),
        "words of the train split": len(train.tokens),
        "loading, s": loaded - begun,
        "digests, s": digested - loaded,
        "an epoch, s": each * len(batches),
        "peak memory of training, MB": peak(),
    }
    model = data.new_model(HSLSTM, config)
    Classifier(model, data.vocabulary, data.corpus.labels, data.corpus.tokenisation, {}).save(
        path.with_suffix(".safetensors")
    )
    return figures


def measure_environment(path: Path) -> dict[str, Any]:
    """Measure the start of a vector environment in a new process, which loads corpus and classifier, and a reset."""
    prepare(1)
    begun = time.process_time()
    classifier_file = str(path.with_suffix(".safetensors"))
    environment = gymnasium.make_vec(
        "hs_env/PhraseSegmentation-v0", num_envs=64, corpus=str(path), classifier=classifier_file
    )
    environment.reset(seed=0)
    seconds = time.process_time() - begun
    reset = median_seconds(lambda: environment.reset(seed=0), 5, time.process_time)
    return {"start of an environment, s": seconds, "reset, s": reset, "peak memory of it, MB": peak()}
