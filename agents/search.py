"""The best segmentation there is, by trying all: the yardstick of a policy on a frozen classifier."""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.models.encoder import StructuredEncoder
from hs_env.rewards import Reward
from hs_env.types import END, Episodes, HsEnvError, SentenceBatch

LONGEST = 16
"""Words of the longest sentence that is searched: 2^15 segmentations."""


def every_segmentation(length: int) -> Tensor:
    """(2^(L-1), L) int64: all actions on a sentence of L words whose last word ends a phrase."""
    numbers = torch.arange(2 ** (length - 1))[:, None]
    free = numbers >> torch.arange(length - 1) & 1
    return torch.cat([free, torch.full_like(numbers, END)], 1)


@torch.no_grad()
def best_segmentation(encoder: StructuredEncoder, batch: SentenceBatch, reward: Reward) -> tuple[Tensor, Tensor]:
    """Exhaustive search, sentence by sentence.

    Returns:
        (B, T) int64 actions of the greatest reward, and (B,) that reward.

    Raises:
        HsEnvError: If a sentence is longer than `LONGEST` words.
    """
    if (longest := int(batch.lengths.max())) > LONGEST:
        raise HsEnvError(f"All segmentations of {longest} words are too many; {LONGEST} words are the most.")
    actions, greatest = torch.zeros_like(batch.tokens), torch.empty(len(batch))
    for row, length in enumerate(batch.lengths.tolist()):
        sentence = batch.select(torch.tensor([row])).cropped(length)
        tried = every_segmentation(length)
        episodes = Episodes(sentence.repeat(len(tried)), tried, encoder(sentence, tried))
        greatest[row], best = reward(episodes).total.max(0)
        actions[row, :length] = tried[best]
    return actions, greatest
