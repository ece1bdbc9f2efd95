"""H-Net over LSTM layers: an encoder, a main network over chunks, and a decoder."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from hs_env.models.h_net.chunking import counts, sequence_numbers, smooth, spread
from hs_env.models.h_net.routers import CosineRouter, Router, Routing
from hs_env.models.h_net.stack import Gates, LSTMStack, Reading, State
from hs_env.models.rate import Decisions

ENCODER_LAYERS: Final = 2
"""Layers below a router. With a single one the vectors of neighbours differ too little to find boundaries."""
DECODER_LAYERS: Final = 1
DECODER_PARTS: Final = 2 * DECODER_LAYERS


class HNet(nn.Module):
    """Cuts sequences into chunks, reads the chunks with a main network, and returns to the positions.

    With E, M and D stacks of LSTM layers (Hwang, Wang, Gu 2025, section 2; `hs_env.models.h_net.routers` has p and b,
    `hs_env.models.h_net.chunking` has z, u and STE)::

        x = E(inputs)
        z^ = M(x_t where b_t = 1)
        output = D(STE(c_t) u_t + W_r x_t),   W_r initially 0

    If the router passes no gradient through p, there is neither smoothing nor confidence: z = z^ and STE(c_t) = 1.
    With several stages, M is an H-Net itself. M computes nothing between two boundaries, in training as well.

    The positions of a sequence may come in several parts. The state carries what one part passes to the next, without
    gradient, so the outputs are those of the whole sequence.

    A sequence begins with a boundary, as in the paper. With `whole` it ends with one instead, so that M reads all;
    the first position then has none.

    Args:
        input_size: e, width of the inputs.
        hidden_size: d, width of all layers.
        layers: Number of layers of the innermost main network.
        stages: Number of times that a sequence is cut.
        router: Decides where the first stage has boundaries; None for a new `CosineRouter`, as in all other stages.
        whole: Whether each sequence comes in one part and ends with a boundary.

    Attributes:
        parts: Number of tensors in a state: those of encoder and router, the last z, those of M and the decoder.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        layers: int,
        stages: int = 1,
        router: Router | None = None,
        whole: bool = False,
    ) -> None:
        super().__init__()
        self.hidden_size, self.stages, self.whole = hidden_size, stages, whole
        self.encoder = LSTMStack(input_size, hidden_size, ENCODER_LAYERS)
        self.router = CosineRouter(hidden_size) if router is None else router
        self.main: LSTMStack | HNet = (
            LSTMStack(hidden_size, hidden_size, layers)
            if stages == 1
            else HNet(hidden_size, hidden_size, layers, stages - 1, whole=whole)
        )
        self.residual = nn.Linear(hidden_size, hidden_size, bias=False)
        nn.init.zeros_(self.residual.weight)
        self.decoder = LSTMStack(hidden_size, hidden_size, DECODER_LAYERS)
        self.parts: int = self.encoder.parts + self.router.parts + 1 + self.main.parts + self.decoder.parts

    def start(self, sequences: int) -> State:
        """Return the state before the first position, whose vector z is not read."""
        zeros = self.residual.weight.new_zeros(sequences, self.hidden_size)
        return (
            *self.encoder.start(sequences),
            *self.router.start(zeros),
            zeros,
            *self.main.start(sequences),
            *self.decoder.start(sequences),
        )

    def forward(
        self,
        vectors: Tensor,
        where: Tensor,
        lengths: Tensor,
        state: State | None = None,
        tokens: Tensor | None = None,
    ) -> Reading:
        """Read the sequences.

        Args:
            vectors: See `LSTMStack.forward`.
            where: See `LSTMStack.forward`.
            lengths: See `LSTMStack.forward`.
            state: See `LSTMStack.forward`.
            tokens: (words,) int64, number of the character at each position, for routers that need it.
        """
        begins = state is None
        encoder, router, z_before, main, decoder = self._split(self.start(len(lengths)) if state is None else state)
        below = self.encoder(vectors, where, lengths, encoder)
        x = below.output
        routing, free = self._route(x, tokens, lengths, router, begins)
        chosen = routing.chosen
        p = routing.p if self.router.smooths else chosen.to(x.dtype)
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
            (*below.state, *routing.state, z_after, *inside.state, *above.state),
            boundaries,
            [*_decisions(routing, free, lengths), *inside.decisions],
            below.computed + inside.computed + above.computed,
            _gates(x, routing, free) if self.router.samples else None,
        )

    def _split(self, state: State) -> tuple[State, State, Tensor, State, State]:
        """Return the parts of a state: of encoder and router, the last z, of the main network, and of the decoder."""
        first = self.encoder.parts
        last = first + self.router.parts
        return state[:first], state[first:last], state[last], state[last + 1 : -DECODER_PARTS], state[-DECODER_PARTS:]

    def _route(
        self, x: Tensor, tokens: Tensor | None, lengths: Tensor, state: State, begins: bool
    ) -> tuple[Routing, Tensor]:
        """Return what the router decides, with the forced boundaries of each sequence, and where it is free."""
        routing = self.router(x, tokens, lengths, state)
        p, chosen, free = routing.p, routing.chosen, torch.ones_like(routing.chosen)
        stops = lengths.cumsum(0)
        first, last = stops - lengths, stops - 1
        forced = [(first, 0), (last, 1)] if self.whole else [(first, 1)] if begins else []
        for place, value in forced:
            p, chosen = p.index_fill(0, place, value), chosen.index_fill(0, place, value)
            free = free.index_fill(0, place, 0)
        return routing._replace(p=p, chosen=chosen), free

    def _read_chunks(self, kept: Tensor, lengths: Tensor, state: State, begins: bool) -> Reading:
        """Run the main network over the chunks of those sequences that have any."""
        if not len(kept):
            return Reading(kept, state, kept.new_empty(0, self.main.stages), [], 0)
        active = lengths.nonzero().squeeze(1)
        before = None if begins else tuple(part[active] for part in state)
        read: Reading = self.main(kept, torch.arange(len(kept), device=kept.device), lengths[active], before)
        after = (old.index_copy(0, active, new) for old, new in zip(state, read.state, strict=True))
        return read._replace(state=tuple(after))

    def _smoothed(self, chunks: Tensor, p: Tensor, lengths: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Return the smoothed chunk vectors, and the last one of each sequence without gradient."""
        if not len(chunks):
            return chunks, before
        active = lengths.nonzero().squeeze(1)
        z = smooth(chunks, p, lengths[active], before[active]) if self.router.smooths else chunks
        return z, before.index_copy(0, active, z.detach()[lengths[active].cumsum(0) - 1])


def _decisions(routing: Routing, free: Tensor, lengths: Tensor) -> list[Decisions]:
    """Return the free decisions of a router; none if it learns nothing."""
    if routing.scores is None:
        return []
    boundaries = routing.chosen.to(routing.p.dtype)
    return [Decisions(boundaries[free], routing.p[free], routing.scores[free], sequence_numbers(lengths)[free])]


def _gates(x: Tensor, routing: Routing, free: Tensor) -> Gates:
    """Return what a policy gradient needs of the decisions."""
    assert routing.scores is not None
    log_probs = nn.functional.logsigmoid(torch.where(routing.chosen, routing.scores, -routing.scores))
    return Gates(x, log_probs * free)
