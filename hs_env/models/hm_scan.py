"""The steps of HM-LSTM over ragged sequences, with their gradient written out.

Layer l at step t, with z^l and z^{l-1} for z^l_{t-1} and z^{l-1}_t (1 below the first layer, 0 at the top)::

    a = [h^l_{t-1} | z^l h^{l+1}_{t-1} | z^{l-1} h^{l-1}_t] W,       i, f, o, g, z~ = sigm, sigm, sigm, tanh, hard sigm
    u = 1 - (1 - z^l)(1 - z^{l-1}),    w = (1 - z^l) z^{l-1}         u: not COPY,    w: UPDATE
    c_t = u i g + (1 - u + w f) c_{t-1},    h_t = u o tanh(c_t) + (1 - u) h_{t-1}

which is UPDATE, COPY and FLUSH of Chung, Ahn, Bengio 2017 (equations 2 to 5) where z is 0 or 1, and smooth in z between,
so that one formula serves the hard boundary, the soft one and the straight-through gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hs_env.models.boundary import Boundary, decide, hard_sigmoid_slope

EPSILON = 1e-5
"""Added to the variance in layer normalisation."""


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """How sequences are packed and how boundaries are decided.

    Attributes:
        widths: d of each layer, lowest first.
        sizes: How many sequences have a first step, a second step, ...; never growing, sums to M.
        kind: How boundaries are decided.
        slope: Of the hard sigmoid.
        noise: (M, N - 1) uniform, where they are drawn.
        ends: (M,) bool, where every layer's boundary is 1 whatever its detector says; or None.
    """

    widths: tuple[int, ...]
    sizes: list[int]
    kind: Boundary
    slope: float
    noise: Tensor | None
    ends: Tensor | None

    @property
    def columns(self) -> list[slice]:
        """Where each layer stands in the states of all layers side by side."""
        stops = [sum(self.widths[: layer + 1]) for layer in range(len(self.widths))]
        return [slice(stop - width, stop) for stop, width in zip(stops, self.widths, strict=True)]

    def steps(self) -> list[tuple[slice, slice, slice]]:
        """For each step its packed rows, and its own and the earlier rows of states that begin with the first ones."""
        first, start, before = self.sizes[0], 0, 0
        steps = []
        for size in self.sizes:
            now = slice(start, start + size)
            steps.append((now, slice(first + start, first + start + size), slice(before, before + size)))
            before, start = first + start, start + size
        return steps


class Scan(torch.autograd.Function):
    """Runs all layers over all steps.

    Autograd over single operations would keep a graph of some forty nodes for each layer and step, and add up the
    gradient of the weights step by step. Here a step's backward is one product a layer, and the gradient of the
    weights is one product a layer at the end.

    Inputs: the plan; `projected` (K, 4d + 1) and `index` (M,), the inputs of the first layer as `LSTM.scan` has them;
    the first state c, h (B, D) and z (B, N - 1), into which no gradient flows; then for each layer its weight, bias and
    gain (None without layer normalisation). Outputs: h (M, D) and z (M, N - 1), differentiable, and c (M, D), not.
    """

    @staticmethod
    def forward(
        ctx: Any,
        plan: ScanPlan,
        projected: Tensor,
        index: Tensor,
        state: tuple[Tensor, Tensor, Tensor],
        *parameters: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        weights, biases, gains = parameters[0::3], parameters[1::3], parameters[2::3]
        layers, columns, total = len(plan.widths), plan.columns, sum(plan.sizes)
        c, h = (torch.cat([first, first.new_empty(total, first.shape[1])]) for first in state[:2])
        z = h.new_zeros(len(h), layers)  # the top layer's stays 0
        z[: len(state[2]), :-1] = state[2]
        kept = [_Kept.empty(total, weight, width, h) for weight, width in zip(weights, plan.widths, strict=True)]
        tanh_c = h.new_empty(total, h.shape[1])
        for now, current, before in plan.steps():
            for layer, (d, column) in enumerate(zip(plan.widths, columns, strict=True)):
                weight, bias, gain, keep = weights[layer], biases[layer], gains[layer], kept[layer]
                own, below = z[before, layer : layer + 1], z[current, layer - 1 : layer] if layer else None
                x = keep.inputs[now]
                x[:, :d] = h[before, column]
                if layer + 1 < layers:
                    above = columns[layer + 1]
                    torch.mul(h[before, above], own, out=x[:, d : d + above.stop - above.start])
                raw = keep.raw[now]
                if below is None:
                    torch.addmm(projected.index_select(0, index[now]), x, weight, out=raw)
                else:
                    low = columns[layer - 1]
                    torch.mul(h[current, low], below, out=x[:, low.start - low.stop :])
                    torch.mm(x, weight, out=raw)
                if gain is None:
                    a = raw + bias
                else:
                    a, mean, scale = torch.native_layer_norm(raw, raw.shape[1:], gain, bias, EPSILON)
                    keep.mean[now], keep.scale[now] = mean, scale
                gates = keep.gates[now]
                a[:, 3 * d : 4 * d].mul_(2)
                torch.sigmoid(a[:, : 4 * d], out=gates)
                i, f, o, g = gates.chunk(4, 1)
                g.mul_(2).sub_(1)

                new_c, new_h, tanh = c[current, column], h[current, column], tanh_c[now, column]
                if below is None:
                    torch.mul(c[before, column], f, out=new_c).mul_(1 - own).addcmul_(i, g)
                    torch.mul(new_c, 2, out=tanh).sigmoid_().mul_(2).sub_(1)
                    torch.mul(o, tanh, out=new_h)
                else:
                    copy, update = (1 - own) * (1 - below), (1 - own) * below
                    torch.addcmul(copy, f, update, out=new_c).mul_(c[before, column])
                    new_c.addcmul_(i * g, 1 - copy)
                    torch.mul(new_c, 2, out=tanh).sigmoid_().mul_(2).sub_(1)
                    torch.mul(h[before, column], copy, out=new_h).addcmul_(o * tanh, 1 - copy)
                if layer + 1 < layers:
                    pre = keep.detector[now] = a[:, 4 * d]
                    noise = None if plan.noise is None else plan.noise[now, layer]
                    boundary = decide(pre, plan.slope, plan.kind, noise)
                    z[current, layer] = boundary if plan.ends is None else boundary.masked_fill(plan.ends[now], 1)
        first = plan.sizes[0]
        saved = [tensor for keep in kept for tensor in keep.tensors()]
        ctx.save_for_backward(index, c, h, z, tanh_c, *saved, *parameters)
        ctx.plan, ctx.rows = plan, len(projected)
        outputs = h[first:].clone(), z[first:, :-1].clone(), c[first:].clone()
        ctx.mark_non_differentiable(outputs[2])
        return outputs

    @staticmethod
    def backward(ctx: Any, grad_h: Tensor, grad_z: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("The scan of HM-LSTM has no second derivative.")
        plan: ScanPlan = ctx.plan
        index, c, h, z, tanh_c, *rest = ctx.saved_tensors
        layers, columns = len(plan.widths), plan.columns
        kept = [_Kept(*rest[number : number + 6]) for number in range(0, 6 * layers, 6)]
        parameters = rest[6 * layers :]
        weights, biases, gains = parameters[0::3], parameters[1::3], parameters[2::3]
        grads = [(torch.empty_like(keep.raw), torch.empty_like(keep.raw)) for keep in kept]

        first = plan.sizes[0]
        later_h, later_c, later_z = h.new_zeros(first, h.shape[1]), c.new_zeros(first, c.shape[1]), z.new_zeros(first, layers)
        for now, current, before in reversed(plan.steps()):
            size = now.stop - now.start
            dh_all = grad_h[now] + later_h[:size]
            dz_all = later_z[:size].clone()
            dz_all[:, :-1] += grad_z[now]
            later_h[:size] = 0
            later_z[:size] = 0
            for layer in reversed(range(layers)):
                d, column, keep = plan.widths[layer], columns[layer], kept[layer]
                own = z[before, layer : layer + 1]
                i, f, o, g = keep.gates[now].chunk(4, 1)
                tanh, c_before, dh = tanh_c[now, column], c[before, column], dh_all[:, column]
                dy, da = grads[layer][0][now], grads[layer][1][now]
                di, df, do, dg = dy[:, : 4 * d].chunk(4, 1)
                if layer:
                    below = z[current, layer - 1 : layer]
                    copy, update = (1 - own) * (1 - below), (1 - own) * below
                    active = 1 - copy
                    fresh = dh * active
                else:
                    below, copy, update, active, fresh = None, None, 1 - own, None, dh
                dc = torch.addcmul(later_c[:size, column], fresh * o, 1 - tanh.square())
                torch.mul(fresh, tanh, out=do)
                shared = dc * c_before
                torch.mul(shared, update, out=df)
                carried = f * update
                if below is None:
                    torch.mul(dc, g, out=di)
                    torch.mul(dc, i, out=dg)
                    d_own = -(shared * f).sum(1, keepdim=True)
                else:
                    assert copy is not None
                    new = dc * active
                    torch.mul(new, g, out=di)
                    torch.mul(new, i, out=dg)
                    carried += copy
                    d_active = (dc * torch.addcmul(-c_before, i, g) + dh * torch.addcmul(-h[before, column], o, tanh)).sum(
                        1, keepdim=True
                    )
                    d_update = (shared * f).sum(1, keepdim=True)
                    d_own = d_active * (1 - below) - d_update * below
                    d_below = (d_active + d_update) * (1 - own)
                later_c[:size, column] = dc.mul_(carried)
                sigmoids = keep.gates[now, : 3 * d]
                dy[:, : 3 * d].mul_(sigmoids).mul_(1 - sigmoids)
                dg.mul_(1 - g.square())
                if layer + 1 < layers:
                    through = hard_sigmoid_slope(keep.detector[now], plan.slope)
                    if plan.ends is not None:
                        through = through.masked_fill(plan.ends[now], 0)
                    torch.mul(dz_all[:, layer], through, out=dy[:, 4 * d])
                if gains[layer] is None:
                    da.copy_(dy)
                else:
                    da.copy_(_normal_backward(dy, keep, now, gains[layer], biases[layer], (True, False, False))[0])
                dx = da @ weights[layer].t()
                later_h[:size, column] += dx[:, :d]
                if copy is not None:
                    later_h[:size, column].addcmul_(dh, copy)
                if layer + 1 < layers:
                    above = columns[layer + 1]
                    part = dx[:, d : d + above.stop - above.start]
                    later_h[:size, above].addcmul_(part, own)
                    d_own += (part * h[before, above]).sum(1, keepdim=True)
                    later_z[:size, layer : layer + 1] += d_own
                if below is not None:
                    low = columns[layer - 1]
                    part = dx[:, low.start - low.stop :]
                    dh_all[:, low].addcmul_(part, below)
                    dz_all[:, layer - 1 : layer] += d_below + (part * h[current, low]).sum(1, keepdim=True)

        grad_projected = None
        if ctx.needs_input_grad[1]:
            grad_projected = h.new_zeros(ctx.rows, grads[0][1].shape[1]).index_add_(0, index, grads[0][1])
        return (None, grad_projected, None, None, *_parameter_gradients(kept, grads, gains, biases))


@dataclass(frozen=True, slots=True)
class _Kept:
    """What one layer's backward needs of its forward, packed: M rows each."""

    inputs: Tensor
    raw: Tensor
    gates: Tensor
    detector: Tensor
    mean: Tensor
    scale: Tensor

    @classmethod
    def empty(cls, total: int, weight: Tensor | None, width: int, like: Tensor) -> _Kept:
        assert weight is not None
        inputs, outputs = weight.shape
        sizes = ((inputs,), (outputs,), (4 * width,), (), (1,), (1,))
        return cls(*(like.new_empty(total, *size) for size in sizes))

    def tensors(self) -> Iterator[Tensor]:
        yield from (self.inputs, self.raw, self.gates, self.detector, self.mean, self.scale)


def _normal_backward(
    grad: Tensor, keep: _Kept, rows: slice, gain: Tensor, bias: Tensor, wanted: tuple[bool, bool, bool]
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of a layer normalisation's inputs, gain and bias."""
    gradients: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_layer_norm_backward(
        grad, keep.raw[rows], grad.shape[1:], keep.mean[rows], keep.scale[rows], gain, bias, list(wanted)
    )
    return gradients


def _parameter_gradients(
    kept: list[_Kept], grads: list[tuple[Tensor, Tensor]], gains: list[Tensor], biases: list[Tensor]
) -> Iterator[Tensor | None]:
    """Weight, bias and gain of each layer."""
    for keep, (dy, da), gain, bias in zip(kept, grads, gains, biases, strict=True):
        yield keep.inputs.t() @ da
        if gain is None:
            yield dy.sum(0)
            yield None
        else:
            _, grad_gain, grad_bias = _normal_backward(dy, keep, slice(None), gain, bias, (False, True, True))
            yield grad_bias
            yield grad_gain
