"""Bits per character of a language model on a text, and what its boundary detectors did."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import nll_loss

from hs_env.language.models import CharacterLM, State
from hs_env.models.hm.boundary import operation_shares

STREAMS = 50
"""Parts of a text that are read side by side; the first characters of each are predicted from less context."""
_STRETCH = 100
_IGNORED = -100  # what `nll_loss` skips


@torch.no_grad()
def evaluate_lm(model: CharacterLM, text: Tensor, streams: int = STREAMS) -> dict[str, float]:
    """Predict every character of a text but the first, once.

    The text is read as `streams` parts side by side, each from an empty state on, carried over to its end.

    Args:
        model: In eval mode.
        text: (n,) int64, at least 2.
        streams: Number of parts; 1 is slowest, and gives the first characters of no part a shorter context.

    Returns:
        `bits_per_character`; and for HM-LSTM `boundaries_1`, ... (share of steps with a boundary, for each level) and
        `update_1`, `copy_1`, `flush_1`, ... (shares of the operations, for each layer).
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
