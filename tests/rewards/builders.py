"""Finished episodes for tests."""

from __future__ import annotations

import torch

from hs_env.types import Episodes, SentenceBatch
from tests.builders import make_batch, random_actions

MEASURES = ("early_loss", "late_loss")
"""What the encoders of dense rewards measure."""


def make_episodes(lengths: list[int], seed: int = 0) -> Episodes:
    """Random episodes of sentences of these lengths, with gold phrases and three classes."""
    batch = make_batch(lengths, seed=seed)
    actions = random_actions(len(batch), max(lengths), seed + 1) * batch.mask
    actions = actions.scatter(1, batch.lengths[:, None] - 1, 1)
    generator = torch.Generator().manual_seed(seed)
    log_probs = torch.log_softmax(torch.randn(len(batch), 3, generator=generator), 1)
    losses = torch.rand(len(MEASURES), *actions.shape, generator=generator) * batch.mask
    return Episodes(batch, actions, log_probs, dict(zip(MEASURES, losses, strict=True)))


def rows(episodes: Episodes, chosen: torch.Tensor) -> Episodes:
    """Some of the episodes."""
    measures = {name: values[chosen] for name, values in episodes.measures.items()}
    return Episodes(episodes.sentences.select(chosen), episodes.actions[chosen], episodes.log_probs[chosen], measures)


def one_sentence(actions: list[str], log_probs: list[list[float]], gold: str | None = None) -> Episodes:
    """Episodes of one sentence of class 0, from actions such as `"00101"`."""
    taken = torch.tensor([[int(action) for action in row] for row in actions])
    boundaries = None if gold is None else torch.tensor([[int(action) for action in gold]] * len(taken))
    zeros, lengths = torch.zeros(len(taken), dtype=torch.int64), torch.full((len(taken),), taken.shape[1])
    batch = SentenceBatch(torch.full_like(taken, 2), lengths, zeros, torch.arange(len(taken)), boundaries)
    return Episodes(batch, taken, torch.tensor(log_probs), {name: torch.ones(taken.shape) for name in MEASURES})
