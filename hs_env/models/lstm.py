"""The LSTM that all models share: one step, and a differentiable scan over sequences of different lengths.

One step for the input x (e,) and the state c, h (d,) (Hochreiter and Schmidhuber 1997; Gers et al. 2000)::

    i, f, o, g = sigm, sigm, sigm, tanh of the four slices of  x W_x + b + h W_h
    c' = f * c + i * g
    h' = o * tanh(c')

The candidate g comes last, so that one sigmoid computes the three gates. From the zero state (c = h = 0) a step needs
no recurrent product, and `c' = i * g`.

The scan computes each step for all sequences at once, without padding. For this it stores their words in the packed
layout of `torch.nn.utils.rnn.PackedSequence`: the first words of all sequences, then all second words, and so on.
Longer sequences come first, so the sequences that reach a step are the first ones of the step before. For example, the
sequences `a0 a1`, `b0 b1 b2` and `c0` are packed as follows::

    step         0          1        2
    words        b0 a0 c0   b1 a1    b2
    sequence     1  0  2    1  0     1
    sizes        3          2        1
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def fast_tanh(x: Tensor) -> Tensor:
    """tanh(x) = 2 sigm(2x) - 1, equal to `torch.tanh` up to 1e-7.

    On CPUs torch computes a sigmoid three times faster than a tanh.
    """
    return torch.sigmoid(x * 2).mul(2).sub(1)


def lstm_cell(gates: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor]:
    """Compute one LSTM step from its pre-activations.

    Args:
        gates: (rows, 4d) pre-activations, one row per sequence, in the order input, forget, output, candidate.
        c: (rows, d) cell states before the step, or None for the zero state.

    Returns:
        The new cell states and the new hidden states, (rows, d) each.
    """
    d = gates.shape[1] // 4
    i, f, o = torch.sigmoid(gates[:, : 3 * d]).chunk(3, 1)
    new = i * fast_tanh(gates[:, 3 * d :])
    if c is not None:
        new = torch.addcmul(new, f, c)
    return new, o * fast_tanh(new)


class LSTM(nn.Module):
    """One LSTM layer whose input products (`project`) are separate from its recurrent steps.

    A word that occurs in several sequences is therefore projected only once.

    Args:
        input_size: e, width of the inputs.
        hidden_size: d, width of the state.

    Attributes:
        weight_ih: (e, 4d) input weights.
        weight_hh: (d, 4d) recurrent weights.
        bias: (4d,) bias, initially 1 for the forget gate (Gers et al. 2000; Jozefowicz et al. 2015) and 0 elsewhere.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(input_size, 4 * hidden_size))
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, 4 * hidden_size))
        self.bias = nn.Parameter(torch.empty(4 * hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw Glorot-uniform input weights and orthogonal recurrent weights (gate by gate); set the bias."""
        d = self.hidden_size
        nn.init.xavier_uniform_(self.weight_ih)
        with torch.no_grad():
            for gate in self.weight_hh.split(d, 1):
                gate.copy_(nn.init.orthogonal_(torch.empty(d, d)))
            self.bias.zero_()
            self.bias[d : 2 * d] = 1.0

    def project(self, x: Tensor) -> Tensor:
        """Return `x W_x + b`, (rows, 4d), for inputs `x` (rows, e)."""
        return torch.addmm(self.bias, x, self.weight_ih)

    def step(self, projected: Tensor, c: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Advance n sequences by one word: inputs (n, 4d) and states c, h (n, d) to new states c, h."""
        return lstm_cell(torch.addmm(projected, h, self.weight_hh), c)

    def scan(self, projected: Tensor, index: Tensor, sizes: list[int]) -> Tensor:
        """Compute the hidden states of all words of packed sequences, (words, d) and packed, from the zero state.

        Args:
            projected: (rows, 4d) projected inputs. Several words may share a row.
            index: (words,) int64, row of `projected` for each packed word.
            sizes: Number of sequences at each step, as `pack` computes it.
        """
        packed: Tensor = _Scan.apply(projected, index, sizes, self.weight_hh, None)[0]
        return packed

    def resume(
        self, projected: Tensor, index: Tensor, sizes: list[int], state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute the hidden states of all words as `scan` does, from a given state.

        Args:
            projected: (rows, 4d) projected inputs. Several words may share a row.
            index: (words,) int64, row of `projected` for each packed word.
            sizes: Number of sequences at each step.
            state: c and h before the first word, (sequences, d) each, in packed order. No gradient flows into them.

        Returns:
            Hidden states (words, d), packed; and c and h after the last word of each sequence, without gradient.
        """
        first = (state[0].detach(), state[1].detach())
        h, c = _Scan.apply(projected, index, sizes, self.weight_hh, first)
        last = last_rows(sizes, h.device)
        return h, (c[last], h.detach()[last])

    def every(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Compute the hidden states at all words, from the zero state.

        Args:
            vectors: (words, e) inputs, one sequence after the other, without padding.
            lengths: (sequences,) int64, number of words of each sequence, at least 1.

        Returns:
            (words, d) hidden states, in the order of `vectors`.
        """
        sequence, step, sizes = pack(lengths)
        order = (lengths.cumsum(0) - lengths)[sequence] + step
        return self.scan(self.project(vectors), order, sizes)[order.argsort()]

    def last(self, projected: Tensor, index: Tensor, lengths: Tensor) -> Tensor:
        """Compute the last hidden state of each sequence, (sequences, d), from the zero state.

        Args:
            projected: (rows, 4d) projected inputs. Several words may share a row.
            index: (words,) int64, row of `projected` for each word, one sequence after the other (not packed).
            lengths: (sequences,) int64, number of words of each sequence, at least 1.
        """
        sequence, step, sizes = pack(lengths)
        stops = lengths.cumsum(0)
        h = self.scan(projected, index[(stops - lengths)[sequence] + step], sizes)
        final = (step == lengths[sequence] - 1).nonzero().squeeze(1)
        return h[torch.empty_like(lengths).index_copy_(0, sequence[final], final)]


class _Scan(torch.autograd.Function):
    """`LSTM.scan` with a hand-written gradient.

    Autograd would keep about twenty graph nodes per step, and would add up the gradient of the recurrent weights step
    by step. Here the backward pass needs one product per step, and one product at the end for all recurrent weights.
    """

    @staticmethod
    def forward(
        ctx: Any,
        projected: Tensor,
        index: Tensor,
        sizes: list[int],
        weight_hh: Tensor,
        state: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, Tensor]:
        d = weight_hh.shape[0]
        gates, recurrent = projected.index_select(0, index), weight_hh.clone()
        for candidate in (gates[:, 3 * d :], recurrent[:, 3 * d :]):
            candidate.mul_(2)  # tanh as in `fast_tanh`
        c, tanh_c, h = gates.new_empty(3, index.shape[0], d).unbind(0)
        minus_one, start = gates.new_full((), -1.0), 0
        for step, size in enumerate(sizes):
            now = slice(start, start + size)
            a, new_c, new_tanh = gates[now], c[now], tanh_c[now]
            c_before, h_before = _before(c, h, state, sizes, step, start)
            if h_before is not None:
                a.addmm_(h_before, recurrent)
            i, f, o, g = a.sigmoid_().chunk(4, 1)
            torch.add(minus_one, g, alpha=2, out=g)
            torch.mul(i, g, out=new_c)
            if c_before is not None:
                new_c.addcmul_(f, c_before)
            torch.mul(new_c, 2, out=new_tanh).sigmoid_()
            torch.add(minus_one, new_tanh, alpha=2, out=new_tanh)
            torch.mul(o, new_tanh, out=h[now])
            start += size
        ctx.save_for_backward(index, weight_hh, gates, c, tanh_c, h)
        ctx.sizes, ctx.rows, ctx.state = sizes, projected.shape[0], state
        ctx.mark_non_differentiable(c)
        return h, c

    @staticmethod
    def backward(ctx: Any, grad_h: Tensor, _: Tensor) -> tuple[Tensor | None, None, None, Tensor | None, None]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "LSTM.scan has no second derivative. Pass relaxed (float) actions to the encoder: it then computes "
                "word by word, and autograd can differentiate that twice."
            )
        index, weight_hh, gates, c, tanh_c, h = ctx.saved_tensors
        sizes, state = ctx.sizes, ctx.state
        d, first, previous = weight_hh.shape[0], sizes[0], _previous(sizes, h.device)
        i, f, o, g = gates.chunk(4, 1)
        # For all words, with pre-activations a: `slopes` holds dc/da for i, f, g and dh/da for o; `by_c` is dh/dc.
        slopes = torch.empty_like(gates)
        by_i, by_f, by_o, by_g = slopes.chunk(4, 1)
        torch.mul(i, g, out=by_i)
        torch.mul(o, tanh_c, out=by_o)
        torch.addcmul(i, by_i, g, value=-1, out=by_g)
        by_c = torch.addcmul(o, by_o, tanh_c, value=-1)
        torch.mul(f[:first], torch.zeros_like(c[:first]) if state is None else state[0], out=by_f[:first])
        torch.mul(f[first:], c[previous], out=by_f[first:])
        slopes[:, : 3 * d].addcmul_(slopes[:, : 3 * d], gates[:, : 3 * d], value=-1)
        later_size, stop = 0, index.shape[0]
        carried_c = carried_h = gates.new_empty(0, d)
        for step in reversed(range(len(sizes))):
            size = sizes[step]
            now = slice(stop - size, stop)
            dh, dc, out = grad_h[now], by_c[now], slopes[now]
            if later_size:
                dh = dh.clone()  # grad_h belongs to autograd
                dh[:later_size] += carried_h
            dc *= dh
            dc[:later_size] += carried_c
            out[:, : 2 * d].view(size, 2, d).mul_(dc[:, None])
            out[:, 2 * d : 3 * d] *= dh
            out[:, 3 * d :] *= dc
            if step:
                carried_h, carried_c = out @ weight_hh.t(), dc.mul_(f[now])
            later_size, stop = size, stop - size
        grad_gates = slopes  # each is by now multiplied by its gradient
        grad_projected = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_projected = grad_gates.new_zeros(ctx.rows, 4 * d).index_add_(0, index, grad_gates)
        if ctx.needs_input_grad[3]:
            grad_weight = h[previous].t() @ grad_gates[first:]
            if state is not None:
                grad_weight.addmm_(state[1].t(), grad_gates[:first])
        return grad_projected, None, None, grad_weight, None


def _before(
    c: Tensor, h: Tensor, state: tuple[Tensor, Tensor] | None, sizes: list[int], step: int, start: int
) -> tuple[Tensor | None, Tensor | None]:
    """Return c and h before a step that begins at packed word `start`; None for the zero state."""
    if step:
        rows = slice(start - sizes[step - 1], start - sizes[step - 1] + sizes[step])
        return c[rows], h[rows]
    return (None, None) if state is None else state


def _previous(sizes: list[int], device: torch.device) -> Tensor:
    """Return the packed row of each word's predecessor, (words - sizes[0],) int64, for all words after step 0."""
    size = torch.tensor(sizes, device=device)
    shift = size[:-1].repeat_interleave(size[1:])
    return torch.arange(sizes[0], sum(sizes), device=device) - shift


def last_rows(sizes: list[int], device: torch.device) -> Tensor:
    """Return the packed row of the last word of each sequence, (sequences,) int64, in packed order."""
    size = torch.tensor(sizes, device=device)
    rows = torch.arange(sizes[0], device=device)
    steps = (size[:, None] > rows).sum(0) - 1
    return (size.cumsum(0) - size)[steps] + rows


def pack(lengths: Tensor) -> tuple[Tensor, Tensor, list[int]]:
    """Compute the packed layout of sequences of at least one word each (see the module's docstring).

    Returns:
        The sequence of each packed word, (words,) int64; its step, (words,) int64, which is its position in the
        sequence; and the number of sequences at each step. Lengths [2, 3, 1], for example, give [1, 0, 2, 1, 0, 1],
        [0, 0, 0, 1, 1, 2] and [3, 2, 1].
    """
    order = torch.argsort(lengths, descending=True, stable=True)
    counts = torch.bincount(lengths)
    sizes = counts.flip(0).cumsum(0).flip(0)[1:]
    steps = torch.arange(len(sizes), device=lengths.device).repeat_interleave(sizes)
    first = sizes.cumsum(0) - sizes
    return order[torch.arange(len(steps), device=lengths.device) - first[steps]], steps, sizes.tolist()
