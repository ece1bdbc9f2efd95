"""The best decisions there are, by trying all: the yardstick of a policy on a frozen classifier."""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.models.encoder import StructuredEncoder
from hs_env.rewards import Reward
from hs_env.types import SEGMENTATION, Episodes, HsEnvError, SentenceBatch, Task

LONGEST = 16
"""Words of the longest sentence that is searched: 2^15 segmentations, or 2^16 - 1 choices of words."""


def every_segmentation(length: int, task: Task = SEGMENTATION) -> Tensor:
    """(N, L) int64: all that can be done to a sentence of L words.

    N = 2^(L-1) segmentations, for the last word ends a phrase; or 2^L - 1 choices of words, for one is retained.
    """
    wanted = torch.arange(2**length)[:, None] >> torch.arange(length) & 1
    legal = (task.complete(wanted, torch.full((2**length,), length)) == wanted).all(1)
    return wanted[legal]


@torch.no_grad()
def best_segmentation(encoder: StructuredEncoder, batch: SentenceBatch, reward: Reward) -> tuple[Tensor, Tensor]:
    """Exhaustive search, sentence by sentence, over all that the encoder's task allows.

    Returns:
        (B, T) int64 actions of the greatest reward, and (B,) that reward.

    Raises:
        HsEnvError: If a sentence is longer than `LONGEST` words.
    """
    if (longest := int(batch.lengths.max())) > LONGEST:
        raise HsEnvError(f"Trying all decisions on {longest} words takes too long; {LONGEST} words are the most.")
    actions, greatest = torch.zeros_like(batch.tokens), torch.empty(len(batch))
    for row, length in enumerate(batch.lengths.tolist()):
        sentence = batch.select(torch.tensor([row])).cropped(length)
        tried = every_segmentation(length, encoder.task)
        episodes = Episodes(sentence.repeat(len(tried)), tried, encoder(sentence, tried))
        greatest[row], best = reward(episodes).total.max(0)
        actions[row, :length] = tried[best]
    return actions, greatest
