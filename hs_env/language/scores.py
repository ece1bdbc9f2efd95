"""Evaluate a language model on a text: bits per character, and rates of its boundaries and operations."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import nll_loss

from hs_env.language.models import CharacterLM, State
from hs_env.models.hm.boundary import operation_shares

STREAMS = 50
"""Default number of parts of a text that are read in parallel."""
_STRETCH = 100
_IGNORED = -100  # target that `nll_loss` skips


@torch.no_grad()
def evaluate_lm(model: CharacterLM, text: Tensor, streams: int = STREAMS) -> dict[str, float]:
    """Predict every character of a text once, except the first one.

    The model reads the text as `streams` parts in parallel. Each part begins with an empty state, so its first
    characters have less context. One part is exact, and slowest.

    Args:
        model: Model in eval mode.
        text: (characters,) int64 positions in the alphabet, at least two.
        streams: Number of parts.

    Returns:
        `bits_per_character`; and for HM-LSTM `boundaries_1`, ... (share of steps with a boundary, per level) and
        `update_1`, `copy_1`, `flush_1`, ... (shares of the operations, per layer).
    """
    targets = len(text) - 1
    streams = min(streams, targets)
    length = -(-targets // streams)
    padding = length * streams - targets
    inputs = torch.cat([text[:-1], text.new_zeros(padding)]).view(streams, length).t()
    outputs = torch.cat([text[1:], text.new_full((padding,), _IGNORED)]).view(streams, length).t()
    state: State | None = None
    total, boundaries = 0.0, []
    for start in range(0, length, _STRETCH):
        now = slice(start, start + _STRETCH)
        log_probs, z, state = model(inputs[now], state)
        total += nll_loss(
            log_probs.flatten(0, 1), outputs[now].flatten(), reduction="sum", ignore_index=_IGNORED
        ).item()
        if z is not None:
            boundaries.append(z)
    scores = {"bits_per_character": total / targets / math.log(2)}
    return scores | (operation_shares(torch.cat(boundaries)) if boundaries else {})
