"""LSTM layers over sequences of different lengths, with a state that one part of the sequences passes to the next."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hs_env.models.lstm import LSTM, pack
from hs_env.models.rate import Decisions

State = tuple[Tensor, ...]
"""Recurrent state: tensors with one row per sequence."""


class Gates(NamedTuple):
    """What a policy gradient needs of sampled boundaries.

    Attributes:
        x: (words, d) vectors below the gate, which the early exit reads.
        log_probs: (words,) log-probabilities of the decisions, with gradient; 0 at forced boundaries.
    """

    x: Tensor
    log_probs: Tensor


class Reading(NamedTuple):
    """What `LSTMStack` and `HNet` compute.

    Attributes:
        output: (words, d) output vectors.
        state: State after the last word of each sequence, without gradient.
        boundaries: (words, levels) floats, 1 where a vector is passed to the next stage. `levels` is the number of
            stages, and the boundaries of a stage are among those of the stage before.
        decisions: Decisions of each stage, if it has read anything.
        computed: Number of layer steps computed: one for each layer and word that the layer read.
        gates: For sampled boundaries of the first stage, else None.
    """

    output: Tensor
    state: State
    boundaries: Tensor
    decisions: list[Decisions]
    computed: int
    gates: Gates | None = None


class LSTMStack(nn.Module):
    """A stack of LSTM layers.

    Sequences are stored one after the other, without padding.

    Args:
        input_size: e, width of the inputs.
        hidden_size: d, width of each layer.
        layers: Number of layers.

    Attributes:
        parts: Number of tensors in a state: c and h of each layer, lowest first.
        stages: 0, as many as there are levels of boundaries.
    """

    stages = 0

    def __init__(self, input_size: int, hidden_size: int, layers: int) -> None:
        super().__init__()
        self.hidden_size, self.parts = hidden_size, 2 * layers
        self.layers = nn.ModuleList(LSTM(hidden_size if layer else input_size, hidden_size) for layer in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(hidden_size) for _ in range(layers))

    def start(self, sequences: int) -> State:
        """Return the zero state of a number of sequences."""
        zeros = next(self.parameters()).new_zeros(sequences, self.hidden_size)
        return (zeros,) * self.parts

    def forward(self, vectors: Tensor, where: Tensor, lengths: Tensor, state: State | None = None) -> Reading:
        """Read the sequences.

        Args:
            vectors: (rows, e) inputs. Several words may share a row, which is projected only once.
            where: (words,) int64, row of `vectors` for each word, one sequence after the other.
            lengths: (sequences,) int64, number of words of each sequence, at least 1.
            state: State before the first word; None for the zero state.

        Returns:
            Hidden states of the top layer, in the order of `where`.
        """
        state = self.start(len(lengths)) if state is None else state
        sequence, step, sizes = pack(lengths)
        first = sequence[: len(lengths)]  # step 0 has all sequences
        place = (lengths.cumsum(0) - lengths)[sequence] + step
        h, index, back = vectors, where[place], place.argsort()
        following = torch.arange(len(place), device=place.device)
        carried: list[Tensor] = []
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, LSTM)
            before = (state[2 * number][first], state[2 * number + 1][first])
            h, after = layer.resume(layer.project(h), index, sizes, before)
            h = self.norms[number](h)
            carried += (old.index_copy(0, first, new) for old, new in zip(before, after, strict=True))
            index = following
        return Reading(h[back], tuple(carried), h.new_empty(len(h), 0), [], len(h) * len(self.layers))
