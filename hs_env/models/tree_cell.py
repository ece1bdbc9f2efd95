"""The cell of a binary Tree-LSTM: one step, and a differentiable scan over the nodes of trees by height.

A node has a state c (+) h of width 2d. The state of a parent, with `(+)` for concatenation::

    i, f_l, f_r, o, g = sigm, sigm, sigm, sigm, tanh of the five slices of  W_2 gelu(W_1 (h_l (+) h_r) + b_1) + b_2
    c = f_l * c_l + f_r * c_r + i * g
    h = o * tanh(c)
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from hs_env.models.lstm import fast_tanh

Children: TypeAlias = tuple[Tensor, Tensor]
"""Numbers of the left and of the right children of some nodes, (nodes,) int64 each."""


class TreeCell(nn.Module):
    """Computes the state of a parent from those of its two children.

    Args:
        hidden_size: d, width of h.

    Attributes:
        weight_1: (2d, 2d) weights of the hidden layer.
        weight_2: (2d, 5d) weights of the gates.
        bias_1: (2d,) bias of the hidden layer.
        bias_2: (5d,) bias of the gates, initially 1 for the forget gates and 0 elsewhere.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        d = hidden_size
        self.weight_1, self.bias_1 = nn.Parameter(torch.empty(2 * d, 2 * d)), nn.Parameter(torch.zeros(2 * d))
        self.weight_2, self.bias_2 = nn.Parameter(torch.empty(2 * d, 5 * d)), nn.Parameter(torch.zeros(5 * d))
        nn.init.xavier_uniform_(self.weight_1)
        nn.init.xavier_uniform_(self.weight_2)
        with torch.no_grad():
            self.bias_2[d : 3 * d] = 1.0

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the states of parents, (rows, 2d), of children `left` and `right`, (rows, 2d) each."""
        d = left.shape[1] // 2
        hidden = torch.addmm(self.bias_1, torch.cat([left[:, d:], right[:, d:]], 1), self.weight_1)
        gates = torch.addmm(self.bias_2, nn.functional.gelu(hidden), self.weight_2)
        i, f_l, f_r, o = torch.sigmoid(gates[:, : 4 * d]).chunk(4, 1)
        c = f_l * left[:, :d] + f_r * right[:, :d] + i * fast_tanh(gates[:, 4 * d :])
        return torch.cat([c, o * fast_tanh(c)], 1)

    def trees(self, leaves: Tensor, levels: list[Children]) -> Tensor:
        """Return the states of all nodes, (nodes, 2d): the leaves, then the nodes of each level.

        Args:
            leaves: (leaves, 2d) states, nodes 0 and up.
            levels: Children of the nodes of each level, whose numbers follow those of the level before.
        """
        states: Tensor = _Trees.apply(leaves, levels, self.weight_1, self.bias_1, self.weight_2, self.bias_2)
        return states


class _Trees(torch.autograd.Function):
    """`TreeCell.trees` with a hand-written gradient.

    Autograd would copy the gradient of all states at every level, and would add up the gradients of the weights level
    by level. Here these are one product over all nodes.
    """

    @staticmethod
    def forward(
        ctx: Any, leaves: Tensor, levels: list[Children], w_1: Tensor, b_1: Tensor, w_2: Tensor, b_2: Tensor
    ) -> Tensor:
        d, first = len(w_1) // 2, len(leaves)
        stops = list(accumulate((len(left) for left, _ in levels), initial=0))
        states = leaves.new_empty(first + stops[-1], 2 * d)
        states[:first] = leaves
        inputs, hidden, active = leaves.new_empty(3, stops[-1], 2 * d).unbind(0)
        gates, tanh_c = leaves.new_empty(stops[-1], 5 * d), leaves.new_empty(stops[-1], d)
        for start, stop, (left, right) in zip(stops, stops[1:], levels, strict=False):
            now = slice(start, stop)
            one, two = states.index_select(0, left), states.index_select(0, right)
            torch.cat([one[:, d:], two[:, d:]], 1, out=inputs[now])
            torch.addmm(b_1, inputs[now], w_1, out=hidden[now])
            active[now] = nn.functional.gelu(hidden[now])
            a = torch.addmm(b_2, active[now], w_2, out=gates[now])
            a[:, 4 * d :].mul_(2)  # tanh as in `fast_tanh`
            i, f_l, f_r, o, g = a.sigmoid_().chunk(5, 1)
            g.mul_(2).sub_(1)
            c, h = states[first + start : first + stop].chunk(2, 1)
            torch.mul(i, g, out=c).addcmul_(f_l, one[:, :d]).addcmul_(f_r, two[:, :d])
            torch.mul(c, 2, out=tanh_c[now]).sigmoid_().mul_(2).sub_(1)
            torch.mul(o, tanh_c[now], out=h)
        ctx.levels, ctx.stops = levels, stops
        ctx.save_for_backward(states, inputs, hidden, active, gates, tanh_c, w_1, w_2)
        return states

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "Trees have no second derivative. Pass relaxed (float) actions to the encoder: it then computes "
                "word by word, and autograd can differentiate that twice."
            )
        states, inputs, hidden, active, gates, tanh_c, w_1, w_2 = ctx.saved_tensors
        d, first = len(w_1) // 2, len(states) - len(gates)
        grad = grad.clone()  # belongs to autograd
        grad_hidden, grad_gates = torch.empty_like(hidden), torch.empty_like(gates)
        for start, stop, (left, right) in reversed(list(zip(ctx.stops, ctx.stops[1:], ctx.levels, strict=False))):
            now = slice(start, stop)
            i, f_l, f_r, o, g = gates[now].chunk(5, 1)
            dc, dh = grad[first + start : first + stop].chunk(2, 1)
            dc = dc + dh * o * (1 - tanh_c[now].square())
            out = grad_gates[now]
            torch.mul(dc, g, out=out[:, :d])
            torch.mul(dc, states[left, :d], out=out[:, d : 2 * d])
            torch.mul(dc, states[right, :d], out=out[:, 2 * d : 3 * d])
            torch.mul(dh, tanh_c[now], out=out[:, 3 * d : 4 * d])
            torch.mul(dc, i, out=out[:, 4 * d :]).mul_(1 - g.square())
            sigmoids = gates[now, : 4 * d]
            out[:, : 4 * d].mul_(sigmoids).mul_(1 - sigmoids)
            grad_hidden[now] = torch.ops.aten.gelu_backward(out @ w_2.t(), hidden[now])
            dx = grad_hidden[now] @ w_1.t()
            grad.index_add_(0, left, torch.cat([dc * f_l, dx[:, :d]], 1))
            grad.index_add_(0, right, torch.cat([dc * f_r, dx[:, d:]], 1))
        return (
            grad[:first],
            None,
            inputs.t() @ grad_hidden,
            grad_hidden.sum(0),
            active.t() @ grad_gates,
            grad_gates.sum(0),
        )
