"""H-Net over LSTM layers: an encoder, a main network over chunks, and a decoder."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from hs_env.models.h_net.chunking import Router, counts, smooth, spread
from hs_env.models.h_net.stack import LSTMStack, Reading, State
from hs_env.models.rate import Decisions

ENCODER_LAYERS: Final = 2
"""Layers below a router. With a single one the vectors of neighbours differ too little to find boundaries."""
DECODER_LAYERS: Final = 1
DECODER_PARTS: Final = 2 * DECODER_LAYERS


class HNet(nn.Module):
    """Cuts sequences into chunks, reads the chunks with a main network, and returns to the positions.

    With E, M and D stacks of LSTM layers (Hwang, Wang, Gu 2025, section 2; `hs_env.models.h_net.chunking` has p, b, z,
    u and STE)::

        x = E(inputs)
        z^ = M(x_t where b_t = 1)
        output = D(STE(c_t) u_t + W_r x_t),   W_r initially 0

    With several stages, M is an H-Net itself. M computes nothing between two boundaries, in training as well.

    The positions of a sequence may come in several parts. The state carries what one part passes to the next, without
    gradient, so the outputs are those of the whole sequence.

    Args:
        input_size: e, width of the inputs.
        width: d, width of all layers.
        layers: Number of layers of the innermost main network.
        stages: Number of times that a sequence is cut.

    Attributes:
        parts: Number of tensors in a state: those of the encoder, the last x, the last z, those of M and the decoder.
    """

    def __init__(self, input_size: int, width: int, layers: int, stages: int = 1) -> None:
        super().__init__()
        self.width, self.stages = width, stages
        self.encoder = LSTMStack(input_size, width, ENCODER_LAYERS)
        self.router = Router(width)
        self.main: LSTMStack | HNet = (
            LSTMStack(width, width, layers) if stages == 1 else HNet(width, width, layers, stages - 1)
        )
        self.residual = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.residual.weight)
        self.decoder = LSTMStack(width, width, DECODER_LAYERS)
        self.parts: int = self.encoder.parts + 2 + self.main.parts + self.decoder.parts

    def start(self, sequences: int) -> State:
        """Return the state before the first position, whose vectors x and z are not read."""
        zeros = self.router.query.new_zeros(sequences, self.width)
        return (
            *self.encoder.start(sequences),
            zeros,
            zeros,
            *self.main.start(sequences),
            *self.decoder.start(sequences),
        )

    def forward(self, vectors: Tensor, where: Tensor, lengths: Tensor, state: State | None = None) -> Reading:
        """Read the sequences; see `LSTMStack.forward` for the arguments and `Reading` for the results."""
        begins = state is None
        encoder, (x_before, z_before), main, decoder = self._split(self.start(len(lengths)) if state is None else state)
        below = self.encoder(vectors, where, lengths, encoder)
        x = below.output
        p = self.router(x, lengths, None if begins else x_before)
        chosen = p > 0.5
        chunks = counts(chosen, lengths)
        inside = self._read_chunks(x[chosen], chunks, main, begins)
        z, z_after = self._smoothed(inside.output, p[chosen], chunks, z_before)
        mixed = spread(z, p, chosen, lengths, z_before) + self.residual(x)
        above = self.decoder(mixed, torch.arange(len(x), device=x.device), lengths, decoder)
        boundaries = x.new_zeros(len(x), self.stages)
        boundaries[:, 0] = chosen
        boundaries[chosen, 1:] = inside.boundaries
        return Reading(
            above.output,
            (*below.state, x.detach()[lengths.cumsum(0) - 1], z_after, *inside.state, *above.state),
            boundaries,
            [_decisions(p, chosen, lengths, begins), *inside.decisions],
            below.computed + inside.computed + above.computed,
        )

    def _split(self, state: State) -> tuple[State, State, State, State]:
        """Return the parts of a state: of the encoder, the last x and z, of the main network, and of the decoder."""
        first = self.encoder.parts
        return state[:first], state[first : first + 2], state[first + 2 : -DECODER_PARTS], state[-DECODER_PARTS:]

    def _read_chunks(self, kept: Tensor, lengths: Tensor, state: State, begins: bool) -> Reading:
        """Run the main network over the chunks of those sequences that have any."""
        if not len(kept):
            return Reading(kept, state, kept.new_empty(0, self.main.stages), [], 0)
        active = lengths.nonzero().squeeze(1)
        before = None if begins else tuple(part[active] for part in state)
        read: Reading = self.main(kept, torch.arange(len(kept), device=kept.device), lengths[active], before)
        after = (old.index_copy(0, active, new) for old, new in zip(state, read.state, strict=True))
        return read._replace(state=tuple(after))

    @staticmethod
    def _smoothed(chunks: Tensor, p: Tensor, lengths: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Return the smoothed chunk vectors, and the last one of each sequence without gradient."""
        if not len(chunks):
            return chunks, before
        active = lengths.nonzero().squeeze(1)
        z = smooth(chunks, p, lengths[active], before[active])
        return z, before.index_copy(0, active, z.detach()[lengths[active].cumsum(0) - 1])


def _decisions(p: Tensor, chosen: Tensor, lengths: Tensor, begins: bool) -> Decisions:
    """Return the decisions of a router, without the forced ones at the start of the sequences."""
    free = torch.ones_like(chosen)
    if begins:
        free[lengths.cumsum(0) - lengths] = False
    sequence = torch.arange(len(lengths), device=p.device).repeat_interleave(lengths)
    return Decisions(chosen.to(p.dtype)[free], p[free], p[free], sequence[free])
