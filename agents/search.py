"""The best decisions on a frozen classifier, by trying all or many: the yardstick of a policy."""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.errors import HsEnvError
from hs_env.models.encoder import EncoderState, StructuredEncoder
from hs_env.rewards import Reward
from hs_env.types import Episodes, SentenceBatch


@torch.no_grad()
def best_actions(encoder: StructuredEncoder, batch: SentenceBatch, reward: Reward) -> tuple[Tensor, Tensor]:
    """Exhaustive search, sentence by sentence, over all legal sequences of actions.

    Returns:
        (B, T) int64 actions of the greatest reward, and (B,) that reward.

    Raises:
        HsEnvError: If a sentence has too many sequences; see `Problem.sequences`.
    """
    actions, greatest = torch.zeros_like(batch.tokens), batch.tokens.new_empty(len(batch), dtype=torch.float32)
    for row, length in enumerate(batch.lengths.tolist()):
        sentence = batch.select(torch.tensor([row])).cropped(length)
        tried = encoder.problem.sequences(length)
        episodes = Episodes(sentence.repeat(len(tried)), tried, encoder(sentence, tried))
        greatest[row], best = reward(episodes).total.max(0)
        actions[row, :length] = tried[best]
    return actions, greatest


@torch.no_grad()
def beam_search(encoder: StructuredEncoder, batch: SentenceBatch, width: int) -> tuple[Tensor, Tensor]:
    """The actions under which the gold class is most probable, as far as a beam finds them; it knows the gold class.

    Word by word, all k actions are tried on the `width` best prefixes of each sentence. The score of a prefix is the
    log-likelihood of the gold class if the problem's closing action came next and the sentence ended there. So the last
    step ranks whole sentences by their log-likelihood. While there are no more than `width` prefixes, all are kept: of
    two actions, sentences of up to `1 + log2(width)` words are searched exhaustively for phrases.

    It takes about `2 * k * width` steps of the encoder a word, for all sentences at once.

    Args:
        encoder: In eval mode.
        batch: B sentences.
        width: Number of prefixes of a sentence that are kept, at least 1.

    Returns:
        (B, T) int64 legal actions, 0 after the last word, and (B,) their log-likelihood: at most the greatest one.

    Raises:
        HsEnvError: If the width is less than 1.
    """
    if width < 1:
        raise HsEnvError(f"A beam keeps at least one prefix of a sentence, got a width of {width}.")
    k = encoder.problem.num_actions
    rows = torch.arange(len(batch))
    actions = torch.zeros_like(batch.tokens)
    greatest = torch.zeros(len(batch), 1)
    nothing = torch.arange(k) == 0  # the one continuation of a finished sentence
    possible = torch.empty(0)

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
        return state.select(torch.arange(len(state)).repeat_interleave(k))

    def decide(t: int, state: EncoderState) -> Tensor:
        actions[:, t] = torch.arange(k).repeat(len(state) // k)
        return actions[:, t]

    prune(encoder.unroll(encoder.start(batch), batch.tokens.shape[1], decide, branch))
    return actions.view(len(batch), -1, batch.tokens.shape[1])[:, 0], greatest[:, 0]


def _closed(encoder: StructuredEncoder, state: EncoderState, labels: Tensor) -> Tensor:
    """(R,) log-likelihood of the gold class if the closing action came next; as it is for finished sentences."""
    closing = torch.full((len(state),), encoder.problem.closing_action)
    return encoder.finish(encoder.advance(state, closing)).gather(1, labels[:, None]).squeeze(1)
