"""Measure how long an update of the P-Net takes with several steps on the same episodes.

An update samples episodes and earns rewards once. Each step evaluates the P-Net on the recorded episodes, without the
encoder, so the passes of the encoder do not depend on the number of steps.
"""

from __future__ import annotations

import statistics
import time
from typing import Literal

import torch
from command import run_script
from rich.console import Console
from rich.table import Table

from hs_env.agents import Reinforce, ReinforceParameters
from hs_env.compute import generator_for, prepare
from hs_env.corpora import Vocabulary, load_corpus
from hs_env.corpora.encoded import EncodedSplit
from hs_env.models import MODELS
from hs_env.models.encoder import StructuredEncoder
from hs_env.rewards import make_reward


def main(
    corpus: str = "movie_reviews",
    model: str = "hs_lstm",
    steps: tuple[int, ...] = (1, 4, 15),
    readers: tuple[Literal["none", "words", "lstm", "bilstm"], ...] = ("none", "bilstm"),
    hidden_size: int = 100,
    sentences: int = 64,
    samples: int = 5,
    repeats: int = 9,
) -> None:
    """Print a table of processor seconds and passes per update, the median over several updates.

    Args:
        corpus: Corpus of the sentences.
        model: Structured encoder, with random weights.
        steps: Numbers of steps per update.
        readers: Readers of the P-Net.
        hidden_size: Hidden size of the encoder.
        sentences: Sentences per update.
        samples: Episodes per sentence.
        repeats: Number of updates.
    """
    prepare(1)
    torch.manual_seed(0)
    train = load_corpus(corpus).splits["train"]
    vocabulary = Vocabulary.from_sentences(train)
    split = EncodedSplit.from_sentences(train, vocabulary)
    encoder = MODELS.get(model)(len(vocabulary), 10, 50, hidden_size).eval().requires_grad_(False)
    assert isinstance(encoder, StructuredEncoder)
    batch = split.batch(torch.randperm(len(split))[:sentences])
    reward = make_reward(encoder.problem.defaults.reward)
    table = Table("reader", "steps", "passes", "seconds", title=f"{model}, {corpus}, S = {samples}, one thread")
    for reader in readers:
        for count in steps:
            parameters = ReinforceParameters(estimator="grpo", updates=count, samples=samples, reader=reader)
            agent = Reinforce(encoder.state_size, encoder.problem, parameters, vocabulary_size=len(vocabulary))
            seconds = []
            for number in range(repeats + 1):
                begun = time.process_time()
                update = agent.update(encoder, batch, reward, generator=generator_for(0, str(number)))
                seconds.append(time.process_time() - begun)
            middle = statistics.median(seconds[1:])
            table.add_row(reader, str(count), f"{update.metrics['passes']:.0f}", f"{middle:.3f}")
    Console().print(table)


if __name__ == "__main__":
    run_script(main)
