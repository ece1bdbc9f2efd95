"""The best decisions there are, by trying all or many: the yardstick of a policy on a frozen classifier."""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.errors import HsEnvError
from hs_env.models.encoder import EncoderState, StructuredEncoder
from hs_env.rewards import Reward
from hs_env.types import SEGMENTATION, Episodes, SentenceBatch, Task

LONGEST = 16
"""Words of the longest sentence that is searched: 2^15 segmentations, or 2^16 - 1 choices of words."""


def every_segmentation(length: int, task: Task = SEGMENTATION) -> Tensor:
    """(N, L) int64: all that can be done to a sentence of L words.

    N = 2^(L-1) segmentations, for the last word ends a phrase; or 2^L - 1 choices of words, for one is retained.
    """
    everything = torch.arange(2**length)[:, None] >> torch.arange(length) & 1
    legal = everything[:, -1] if task.structure == "phrases" else everything.any(1)
    return everything[legal.bool()]


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


@torch.no_grad()
def beam_search(encoder: StructuredEncoder, batch: SentenceBatch, width: int) -> tuple[Tensor, Tensor]:
    """The actions under which the gold class is most probable, as far as a beam finds them; it knows the gold class.

    Word by word, both actions are tried on the `width` best beginnings of each sentence. A beginning is worth the
    log-likelihood of the gold class if action 1 came next and the sentence ended there, so the last step ranks whole
    sentences by what they are worth; and while there are no more than `width` beginnings, all are kept: sentences of up
    to `1 + log2(width)` words are searched exhaustively for phrases.

    It takes some `4 * width` steps of the encoder a word, all sentences at once.

    Args:
        encoder: In eval mode.
        batch: B sentences.
        width: Beginnings of a sentence that are kept, at least 1.

    Returns:
        (B, T) int64 legal actions, 0 behind the end, and (B,) their log-likelihood, which is no more than the greatest.

    Raises:
        HsEnvError: If the width is less than 1.
    """
    if width < 1:
        raise HsEnvError(f"A beam keeps at least one beginning of a sentence, got a width of {width}.")
    rows = torch.arange(len(batch))
    state, kept = encoder.start(batch), 1
    actions = torch.zeros_like(batch.tokens)
    greatest = torch.zeros(len(batch), 1)
    for word in range(batch.tokens.shape[1]):
        tried = torch.tensor([0, 1]).repeat(len(state))
        possible = torch.where(state.reading[:, None], encoder.legal(state), torch.tensor([True, False]))
        possible &= greatest.reshape(-1, 1).isfinite()  # a beginning that is not legal has no continuations either
        state = encoder.advance(state.select(torch.arange(len(state)).repeat_interleave(2)), tried)
        actions = actions.repeat_interleave(2, 0)
        actions[:, word] = tried
        kept *= 2
        worth = _worth(encoder, state, batch.labels.repeat_interleave(kept))
        worth = worth.masked_fill(~possible.flatten(), -torch.inf).view(len(batch), kept)
        greatest, best = worth.topk(min(width, kept), 1)
        chosen = (best + kept * rows[:, None]).flatten()
        state, actions, kept = state.select(chosen), actions[chosen], best.shape[1]
    return actions.view(len(batch), kept, -1)[:, 0], greatest[:, 0]


def _worth(encoder: StructuredEncoder, state: EncoderState, labels: Tensor) -> Tensor:
    """(R,) log-likelihood of the gold class if action 1 came next and the sentence ended; as it is where it has."""
    ended = encoder.advance(state, torch.ones(len(state), dtype=torch.int64))
    return encoder.finish(ended).gather(1, labels[:, None]).squeeze(1)
