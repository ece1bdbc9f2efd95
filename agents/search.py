"""Search for the best actions on a frozen classifier: upper bounds for policies."""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.compute import isolated
from hs_env.errors import HsEnvError
from hs_env.models.encoder import StructuredEncoder
from hs_env.models.state import EncoderState
from hs_env.rewards import Reward
from hs_env.types import SentenceBatch


@isolated
@torch.no_grad()
def best_actions(encoder: StructuredEncoder, batch: SentenceBatch, reward: Reward) -> tuple[Tensor, Tensor]:
    """Find the actions of the greatest reward by exhaustive search, sentence by sentence.

    The cost grows exponentially with the number of words.

    Args:
        encoder: Frozen encoder.
        batch: Sentences.
        reward: Reward of whole episodes.

    Returns:
        (B, T) int64 actions, 0 after the last word; and (B,) float32 rewards.

    Raises:
        HsEnvError: If a sentence has too many sequences; see `Problem.sequences`.
    """
    actions, greatest = torch.zeros_like(batch.tokens), batch.tokens.new_empty(len(batch), dtype=torch.float32)
    for row, length in enumerate(batch.lengths.tolist()):
        sentence = batch.select(torch.tensor([row], device=actions.device)).cropped(length)
        tried = encoder.problem.sequences(length).to(actions.device)
        greatest[row], best = reward(encoder.read(sentence, tried)).total.max(0)
        actions[row, :length] = tried[best]
    return actions, greatest


@isolated
@torch.no_grad()
def beam_search(encoder: StructuredEncoder, batch: SentenceBatch, width: int) -> tuple[Tensor, Tensor]:
    """Search for the actions that maximise the log-likelihood of the gold class, with a beam.

    At each word, all k actions are tried on the `width` best prefixes of each sentence. The score of a prefix is the
    log-likelihood of the gold class if the problem's closing action came next and the sentence ended there. With two
    actions, sentences of up to `1 + log2(width)` words are searched exhaustively. The cost is about `2 * k * width`
    steps of the encoder per word, for all sentences at once.

    Args:
        encoder: Encoder in eval mode.
        batch: B sentences.
        width: Number of prefixes kept per sentence, at least 1.

    Returns:
        (B, T) int64 legal actions, 0 after the last word, and (B,) their log-likelihoods.

    Raises:
        HsEnvError: If the width is less than 1.
    """
    if width < 1:
        raise HsEnvError(f"A beam keeps at least one prefix of a sentence, got a width of {width}.")
    k, device = encoder.problem.num_actions, batch.tokens.device
    rows, each = torch.arange(len(batch), device=device), torch.arange(k, device=device)
    actions = torch.zeros_like(batch.tokens)
    greatest = torch.zeros(len(batch), 1, device=device)
    possible = each == 0  # finished sentences continue with action 0 only
    nothing = possible

    def prune(state: EncoderState) -> EncoderState:
        nonlocal actions, greatest
        kept = len(state) // len(batch)
        scores = _closed(encoder, state, batch.labels.repeat_interleave(kept))
        scores = scores.masked_fill(~possible.flatten(), -torch.inf).view(len(batch), kept)
        greatest, best = scores.topk(min(width, kept), 1)
        chosen = (best + kept * rows[:, None]).flatten()
        actions = actions[chosen]
        return state.select(chosen)

    def branch(t: int, state: EncoderState) -> EncoderState:
        nonlocal actions, possible
        state = prune(state) if t else state
        possible = torch.where(state.reading[:, None], encoder.legal(state), nothing)
        possible &= greatest.reshape(-1, 1).isfinite()  # an illegal prefix has no legal continuation
        actions = actions.repeat_interleave(k, 0)
        return state.select(torch.arange(len(state), device=device).repeat_interleave(k))

    def decide(t: int, state: EncoderState) -> Tensor:
        actions[:, t] = each.repeat(len(state) // k)
        return actions[:, t]

    prune(encoder.unroll(encoder.start(batch), batch.tokens.shape[1], decide, branch))
    return actions.view(len(batch), -1, batch.tokens.shape[1])[:, 0], greatest[:, 0]


def _closed(encoder: StructuredEncoder, state: EncoderState, labels: Tensor) -> Tensor:
    """Return (R,) log-likelihoods after the closing action; finished sentences stay as they are."""
    closing = torch.full_like(state.position, encoder.problem.closing_action)
    return encoder.finish(encoder.advance(state, closing)).gather(1, labels[:, None]).squeeze(1)
