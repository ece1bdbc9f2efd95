"""Small batches and models for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch

from hs_env.models import HSLSTM, IDLSTM, AttentiveHSLSTM, PhraseModuleNetwork, SkimLSTM, TreeLSTM
from hs_env.types import SentenceBatch

E = TypeVar("E", HSLSTM, AttentiveHSLSTM, IDLSTM, SkimLSTM, TreeLSTM, PhraseModuleNetwork)


def make_batch(lengths: list[int], *, vocabulary: int = 30, classes: int = 3, seed: int = 0) -> SentenceBatch:
    """Random sentences of these lengths."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.tensor(lengths)
    tokens = torch.randint(2, vocabulary, (len(lengths), max(lengths)), generator=generator)
    mask = torch.arange(max(lengths)) < size[:, None]
    labels = torch.randint(0, classes, (len(lengths),), generator=generator)
    boundaries = torch.randint(0, 2, tokens.shape, generator=generator) * mask
    boundaries = boundaries.scatter(1, size[:, None] - 1, 1)
    return SentenceBatch(tokens * mask, size, labels, torch.arange(len(lengths)), boundaries)


def phrases_of(words: Sequence[str], actions: Sequence[int]) -> list[tuple[str, ...]]:
    """The phrases of a sentence, word by word: each ends at a 1 or at the last word."""
    phrases: list[tuple[str, ...]] = [()]
    for word, action in zip(words, actions, strict=True):
        phrases[-1] += (word,)
        if action == 1:
            phrases.append(())
    return [phrase for phrase in phrases if phrase]


def make_encoder(kind: type[E] = HSLSTM, *, classes: int = 3, seed: int = 0, dropout: float = 0.0) -> E:  # type: ignore[assignment]
    """A small encoder with random weights, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return kind(30, classes, embedding_size=5, hidden_size=6, dropout=dropout).eval()


def random_actions(rows: int, width: int, seed: int = 0, k: int = 2) -> torch.Tensor:
    """(rows, width) of 0 to k - 1."""
    return torch.randint(0, k, (rows, width), generator=torch.Generator().manual_seed(seed))
