"""Dynamic chunking: how the vectors of chunks return to the positions of a sequence.

With p_t the boundary probability at position t, b_t = 1 at a boundary (see `hs_env.models.h_net.routers`), and chunk
vectors numbered by j (Hwang, Wang, Gu 2025, section 2.2)::

    z_j = P_j z^_j + (1 - P_j) z_{j-1},   P_j = p at boundary j, clamped to [1e-4, 1 - 1e-4]
    u_t = z of the last boundary at or before t
    c_t = p_t if b_t = 1, else 1 - p_t
    y_t = STE(c_t) u_t,   STE: 1 in the forward pass, the identity in the backward pass

All sequences of a batch are stored one after the other, without padding.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from hs_env.models.lstm import pack

_SMALLEST: Final = 1e-4
"""Distance of P from 0 and 1."""


def counts(chosen: Tensor, lengths: Tensor) -> Tensor:
    """Return the number of True values in each sequence, (sequences,) int64.

    Args:
        chosen: (words,) bool.
        lengths: (sequences,) int64, number of words of each sequence.
    """
    sums = nn.functional.pad(chosen.long().cumsum(0), (1, 0))
    stops = lengths.cumsum(0)
    return sums[stops] - sums[stops - lengths]


def sequence_numbers(lengths: Tensor) -> Tensor:
    """Return the number of the sequence of each word, (words,) int64, for (sequences,) int64 lengths."""
    return torch.arange(len(lengths), device=lengths.device).repeat_interleave(lengths)


def smooth(chunks: Tensor, p: Tensor, lengths: Tensor, before: Tensor) -> Tensor:
    """Return the smoothed chunk vectors z, (chunks, d).

    Args:
        chunks: (chunks, d) vectors z^ of the chunks.
        p: (chunks,) boundary probabilities of the chunks.
        lengths: (sequences,) int64, number of chunks of each sequence, at least 1.
        before: (sequences, d) smoothed vectors before the first chunks.
    """
    sequence, step, sizes = pack(lengths)
    place = (lengths.cumsum(0) - lengths)[sequence] + step
    inputs = chunks[place].split(sizes)
    shares = p.clamp(_SMALLEST, 1 - _SMALLEST)[place, None].split(sizes)
    z, outputs = before[sequence[: len(lengths)]], []
    for size, vectors, share in zip(sizes, inputs, shares, strict=True):
        z = torch.lerp(z[:size], vectors, share)
        outputs.append(z)
    return torch.cat(outputs)[place.argsort()]


def spread(z: Tensor, p: Tensor, boundaries: Tensor, lengths: Tensor, before: Tensor) -> Tensor:
    """Return the vectors STE(c_t) u_t at all positions, (words, d).

    Args:
        z: (chunks, d) smoothed vectors of the chunks of all sequences.
        p: (words,) boundary probabilities.
        boundaries: (words,) bool, True at the boundaries.
        lengths: (sequences,) int64, number of positions of each sequence, at least 1.
        before: (sequences, d) smoothed vectors before the first chunks, for the positions before the first boundary.
    """
    u = with_first(z, counts(boundaries, lengths), before)
    sequence = sequence_numbers(lengths)
    confidence = torch.where(boundaries, p, 1 - p)
    straight = confidence + (1 - confidence).detach()
    return u[boundaries.long().cumsum(0) + sequence] * straight[:, None]


def with_first(z: Tensor, lengths: Tensor, before: Tensor) -> Tensor:
    """Put a row before the rows of each sequence: (sequences, d) `before` and (chunks, d) `z`, of `lengths` rows."""
    sequence = torch.arange(len(lengths), device=z.device)
    place = torch.arange(len(z), device=z.device) + sequence.repeat_interleave(lengths) + 1
    firsts = lengths.cumsum(0) - lengths + sequence
    return z.new_empty(len(z) + len(before), z.shape[1]).index_copy(0, firsts, before).index_copy(0, place, z)
