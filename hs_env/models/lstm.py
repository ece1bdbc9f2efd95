"""The LSTM that every model here is made of: one cell, and one differentiable scan over ragged sequences.

Gates stand in the order input, forget, output, candidate, so that one sigmoid serves a contiguous block:

    i, f, o, g = sigm, sigm, sigm, tanh of the slices of  x W_x + b + h W_h
    c' = f * c + i * g,    h' = o * tanh(c')                       (Hochreiter and Schmidhuber 1997; Gers et al. 2000)

A step from nothing (c = h = 0) needs no recurrent product: `c' = i * g`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def fast_tanh(x: Tensor) -> Tensor:
    """tanh by way of the sigmoid, which torch evaluates three times faster on CPUs (same value to 1e-7)."""
    return torch.sigmoid(x * 2).mul(2).sub(1)


def lstm_cell(gates: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor]:
    """One LSTM step after its products.

    Args:
        gates: (n, 4d) pre-activations.
        c: (n, d) cell state before the step, or None for a step from nothing.

    Returns:
        The new (c, h), each (n, d).
    """
    d = gates.shape[1] // 4
    i, f, o = torch.sigmoid(gates[:, : 3 * d]).chunk(3, 1)
    new = i * fast_tanh(gates[:, 3 * d :])
    if c is not None:
        new = torch.addcmul(new, f, c)
    return new, o * fast_tanh(new)


class LSTM(nn.Module):
    """One LSTM layer that reads *projected* inputs, so that whoever shares an input shares its projection.

    Args:
        input_size: e, width of the inputs.
        hidden_size: d, width of the state.

    Attributes:
        weight_ih: (e, 4d) input weights.
        weight_hh: (d, 4d) recurrent weights.
        bias: (4d,), 1 at the forget gate at first (Gers et al. 2000; Jozefowicz et al. 2015).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(input_size, 4 * hidden_size))
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, 4 * hidden_size))
        self.bias = nn.Parameter(torch.empty(4 * hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot input weights, orthogonal recurrent weights gate by gate."""
        d = self.hidden_size
        nn.init.xavier_uniform_(self.weight_ih)
        with torch.no_grad():
            for gate in self.weight_hh.split(d, 1):
                gate.copy_(nn.init.orthogonal_(torch.empty(d, d)))
            self.bias.zero_()
            self.bias[d : 2 * d] = 1.0

    def project(self, x: Tensor) -> Tensor:
        """(n, e) inputs to (n, 4d) pre-activations."""
        return torch.addmm(self.bias, x, self.weight_ih)

    def step(self, projected: Tensor, c: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """One step of n sequences from (c, h), each (n, d), on (n, 4d) projected inputs; returns the new (c, h)."""
        return lstm_cell(torch.addmm(projected, h, self.weight_hh), c)

    def scan(self, projected: Tensor, index: Tensor, sizes: list[int]) -> Tensor:
        """Run ragged sequences from nothing.

        Sequences are packed as in `torch.nn.utils.rnn.PackedSequence`: sorted by length, longest first; the first
        words of all, then the second words of those that have one, and so on.

        Args:
            projected: (K, 4d) projected inputs; sequences may share rows.
            index: (M,) int64, the row of `projected` that each packed word reads.
            sizes: How many sequences have a first word, a second word, ...; never growing, sums to M.

        Returns:
            (M, d) hidden states, packed alike.
        """
        packed: Tensor = _Scan.apply(projected, index, sizes, self.weight_hh)
        return packed

    def last(self, projected: Tensor, index: Tensor, lengths: Tensor) -> Tensor:
        """The last hidden state of ragged sequences from nothing.

        Args:
            projected: (K, 4d) projected inputs; sequences may share rows.
            index: (M,) int64, the row of `projected` that each word reads, sequence after sequence.
            lengths: (n,) int64, each at least 1; sums to M.

        Returns:
            (n, d).
        """
        sequence, step, sizes = pack(lengths)
        stops = lengths.cumsum(0)
        h = self.scan(projected, index[(stops - lengths)[sequence] + step], sizes)
        final = (step == lengths[sequence] - 1).nonzero().squeeze(1)
        return h[torch.empty_like(lengths).index_copy_(0, sequence[final], final)]


class _Scan(torch.autograd.Function):
    """`LSTM.scan` with its gradient written out.

    Autograd over single steps would keep a graph of some twenty nodes a step and add up the gradient of the recurrent
    weights step by step. Here a step's backward is one product, and the weights' gradient one product at the end.
    """

    @staticmethod
    def forward(ctx: Any, projected: Tensor, index: Tensor, sizes: list[int], weight_hh: Tensor) -> Tensor:
        d = weight_hh.shape[0]
        gates = projected.index_select(0, index)
        c, tanh_c, h = gates.new_empty(3, index.shape[0], d).unbind(0)
        start = 0
        for step, size in enumerate(sizes):
            now = slice(start, start + size)
            a = gates[now]
            if step:
                before = slice(start - sizes[step - 1], start - sizes[step - 1] + size)
                a.addmm_(h[before], weight_hh)
            a[:, 3 * d :].mul_(2)
            a.sigmoid_()
            i, f, o, g = a.chunk(4, 1)
            g.mul_(2).sub_(1)
            torch.mul(i, g, out=c[now])
            if step:
                c[now].addcmul_(f, c[before])
            torch.mul(c[now], 2, out=tanh_c[now]).sigmoid_().mul_(2).sub_(1)
            torch.mul(o, tanh_c[now], out=h[now])
            start += size
        ctx.save_for_backward(index, weight_hh, gates, c, tanh_c, h)
        ctx.sizes, ctx.rows = sizes, projected.shape[0]
        return h

    @staticmethod
    def backward(ctx: Any, grad_h: Tensor) -> tuple[Tensor | None, None, None, Tensor | None]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "LSTM.scan has no second derivative. Relaxed actions take the step-by-step route, which has."
            )
        index, weight_hh, gates, c, tanh_c, h = ctx.saved_tensors
        sizes: list[int] = ctx.sizes
        d = weight_hh.shape[0]
        grad_gates = torch.empty_like(gates)
        later_size, stop = 0, index.shape[0]
        carried_c = carried_h = gates.new_empty(0, d)
        for step in reversed(range(len(sizes))):
            size = sizes[step]
            now = slice(stop - size, stop)
            i, f, o, g = gates[now].chunk(4, 1)
            dh = grad_h[now]
            if later_size:
                dh = dh.clone()
                dh[:later_size] += carried_h
            dc = dh * o * (1 - tanh_c[now].square())
            if later_size:
                dc[:later_size] += carried_c
            out = grad_gates[now]
            torch.mul(dc, g, out=out[:, :d])
            torch.mul(dh, tanh_c[now], out=out[:, 2 * d : 3 * d])
            torch.mul(dc, i, out=out[:, 3 * d :]).mul_(1 - g.square())
            if step:
                before = slice(stop - size - sizes[step - 1], stop - sizes[step - 1])
                torch.mul(dc, c[before], out=out[:, d : 2 * d])
            else:
                out[:, d : 2 * d].zero_()
            sigmoids = gates[now, : 3 * d]
            out[:, : 3 * d].mul_(sigmoids).mul_(1 - sigmoids)
            if step:
                carried_h, carried_c = out @ weight_hh.t(), dc * f
            later_size, stop = size, stop - size
        grad_projected = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_projected = grad_gates.new_zeros(ctx.rows, 4 * d).index_add_(0, index, grad_gates)
        if ctx.needs_input_grad[3]:
            first = sizes[0]
            grad_weight = h[_previous(sizes, h.device)].t() @ grad_gates[first:]
        return grad_projected, None, None, grad_weight


def _previous(sizes: list[int], device: torch.device) -> Tensor:
    """(M - sizes[0],) int64: for each packed word after the first ones, where the word before it stands."""
    size = torch.tensor(sizes, device=device)
    shift = size[:-1].repeat_interleave(size[1:])
    return torch.arange(sizes[0], int(size.sum()), device=device) - shift


def pack(lengths: Tensor) -> tuple[Tensor, Tensor, list[int]]:
    """The packed layout of sequences of these lengths.

    Args:
        lengths: (n,) int64, each at least 1.

    Returns:
        (M,) int64 sequence of each packed word; (M,) int64 step of each packed word; the number of sequences at each
        step.
    """
    order = torch.argsort(lengths, descending=True, stable=True)
    counts = torch.bincount(lengths)  # how many sequences have exactly this length
    sizes = counts.flip(0).cumsum(0).flip(0)[1:]
    steps = torch.arange(len(sizes), device=lengths.device).repeat_interleave(sizes)
    first = sizes.cumsum(0) - sizes
    return order[torch.arange(len(steps), device=lengths.device) - first[steps]], steps, sizes.tolist()
