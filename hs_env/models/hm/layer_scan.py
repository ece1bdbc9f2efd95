"""One layer in the scan of HM-LSTM: a step forward, and its gradient.

Layer l at step t computes, with own = z^l_{t-1} (0 in the top layer) and below = z^{l-1}_t (1 in the first layer)::

    sums = [h^l_{t-1} | own h^{l+1}_{t-1} | below h^{l-1}_t] W
    i, f, o, g, z~ = sigm, sigm, sigm, tanh, hard_sigm of the slices of sums + b
    copy = (1 - own) (1 - below)
    update = (1 - own) below
    c_t = (1 - copy) i g + (copy + update f) c_{t-1}
    h_t = (1 - copy) o tanh(c_t) + copy h_{t-1}

For boundaries 0 and 1 these are UPDATE, COPY and FLUSH of Chung, Ahn, Bengio 2017 (equations 2 to 5). The formula is
smooth in between, so it also holds for soft boundaries and gives the straight-through gradient.

On a CPU, rows whose boundary is 0 are left out of the products with h^{l+1} and h^{l-1}, and of the gradient of their
weights. Above the lowest layer, the product with h^l_{t-1} is computed again only for rows whose h^l has changed. The
gradient of the inputs needs all rows, because a boundary of 0 has a straight-through gradient, too.

Here "units" is the sum of the widths of all layers, and (rows, units) holds the states of all layers side by
side, lowest layer first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from hs_env.models.hm.plan import Place, ScanPlan
from hs_env.models.hm.products import add_product, nonzero_rows, weight_gradient

EPSILON = 1e-5
"""Added to the variance in layer normalisation."""


class States(NamedTuple):
    """The states of all layers and steps.

    Attributes:
        c: (B + words, units) cell states, the B initial ones first.
        h: (B + words, units) hidden states, likewise.
        z: (B + words, layers) boundaries, likewise; always 0 for the top layer.
        tanh: (words, units) tanh(c), without initial states.
    """

    c: Tensor
    h: Tensor
    z: Tensor
    tanh: Tensor


class Carried(NamedTuple):
    """Gradients around one step of the backward pass.

    Attributes:
        c: (B, units) gradient of the cell states. `Layer.backward` replaces those after the step by those before it.
        h: (B, units) gradient of the hidden states before the step, to which the layers add.
        z: (B, layers) gradient of the boundaries before the step, to which the layers add.
        ending_h: (rows, units) gradient of the hidden states after the step. A layer adds to that of the layer below.
        ending_z: (rows, layers) gradient of the boundaries after the step, likewise.
        detectors: (rows, layers - 1) gradient of the pre-activations of the detectors that comes from the loss.
    """

    c: Tensor
    h: Tensor
    z: Tensor
    ending_h: Tensor
    ending_z: Tensor
    detectors: Tensor


class Layer:
    """One layer: its parameters, and the results of its forward pass that its backward pass needs.

    Args:
        number: Number of the layer, from 0 for the lowest.
        widths: Width d of each layer, lowest layer first.
        parameters: Weight, bias and, with layer normalisation, gain of this layer.

    Attributes:
        width: d, width of this layer.
        column: Columns of this layer in (rows, units) states.
        above: Columns of the layer above, or None.
        below: Columns of the layer below, or None.
        weight: Weights of the inputs: own state, then the state above, then the state below.
        bias: (4d + 1,) bias, (4d,) in the top layer.
        gain: Gain of the layer normalisation, with the shape of the bias; or None.
        kept: Five tensors of `words` rows: summed inputs, gates i, f, o, g (4d columns), pre-activations of the
            detector, and mean and inverse standard deviation of the summed inputs.
    """

    def __init__(self, number: int, widths: tuple[int, ...], parameters: tuple[Tensor, ...]) -> None:
        stops = [sum(widths[: layer + 1]) for layer in range(len(widths))]
        columns = [slice(stop - width, stop) for stop, width in zip(stops, widths, strict=True)]
        self.number, self.width, self.column = number, widths[number], columns[number]
        self.above = columns[number + 1] if number + 1 < len(widths) else None
        self.below = columns[number - 1] if number else None
        self.weight, self.bias = parameters[:2]
        self.gain = parameters[2] if len(parameters) > 2 else None
        self.kept: list[Tensor] = []
        self._recurrent: Tensor  # (B, 4d + 1) current h^l times its weights; unused in the lowest layer

    def begin(self, total: int, h: Tensor) -> None:
        """Allocate `kept` for `total` words, and multiply `h` (B, units) before them by the weights."""
        if self.below is not None:
            self._recurrent = h[:, self.column] @ self.weight[: self.width]
        sizes = ((self.weight.shape[1],), (4 * self.width,), (), (1,), (1,))
        self.kept = [self.weight.new_empty(total, *size) for size in sizes]

    @property
    def _top_down(self) -> slice:
        """Columns of this layer's inputs that come from the layer above."""
        width = 0 if self.above is None else self.above.stop - self.above.start
        return slice(self.width, self.width + width)

    @property
    def _bottom_up(self) -> slice:
        """Columns of this layer's inputs that come from the layer below."""
        return slice(self._top_down.stop, None)

    # Forward ---------------------------------------------------------------------------------------------------------

    def forward(self, plan: ScanPlan, place: Place, states: States, projected: Tensor | None) -> None:
        """Compute one step of this layer; write its new states to `states`.

        Args:
            plan: Layout of the sequences.
            place: Rows of the step.
            states: States of all layers, already computed for the layers below at this step.
            projected: (rows, 4d + 1) projected inputs of the first layer; None for all other layers.
        """
        now, current, before = place
        c, h, z, tanh = states.c, states.h, states.z, states.tanh[now, self.column]
        own = z[before, self.number : self.number + 1]
        below = z[current, self.number - 1 : self.number]
        a = self._sums(place, states, own, below, projected)
        d, gates = self.width, self.kept[1][now]
        a[:, 3 * d : 4 * d].mul_(2)  # tanh as in `fast_tanh`
        torch.sigmoid(a[:, : 4 * d], out=gates)
        i, f, o, g = gates.chunk(4, 1)
        g.mul_(2).sub_(1)
        new_c, new_h = c[current, self.column], h[current, self.column]
        if self.below is None:
            torch.mul(c[before, self.column], f, out=new_c).mul_(1 - own).addcmul_(i, g)
            torch.mul(new_c, 2, out=tanh).sigmoid_().mul_(2).sub_(1)
            torch.mul(o, tanh, out=new_h)
        else:
            copy, update = (1 - own) * (1 - below), (1 - own) * below
            torch.addcmul(copy, f, update, out=new_c).mul_(c[before, self.column]).addcmul_(i * g, 1 - copy)
            torch.mul(new_c, 2, out=tanh).sigmoid_().mul_(2).sub_(1)
            torch.mul(h[before, self.column], copy, out=new_h).addcmul_(o * tanh, 1 - copy)
            self._multiply_changed(new_h, 1 - copy)
        if self.above is not None:
            detector = self.kept[2][now] = a[:, 4 * d]
            z[current, self.number] = plan.boundary(detector, now, self.number)

    def _sums(self, place: Place, states: States, own: Tensor, below: Tensor, projected: Tensor | None) -> Tensor:
        """Return the pre-activations of a step: summed inputs, normalised if the layer has a gain, plus the bias."""
        raw, h = self.kept[0][place.now], states.h
        if projected is None:
            raw.copy_(self._recurrent[: len(raw)])
        else:
            torch.addmm(projected, h[place.before, self.column], self.weight[: self.width], out=raw)
        if self.above is not None:
            add_product(raw, h[place.before, self.above], own, self.weight[self._top_down])
        if self.below is not None:
            add_product(raw, h[place.current, self.below], below, self.weight[self._bottom_up])
        if self.gain is None:
            return raw + self.bias
        a, mean, scale = torch.native_layer_norm(raw, raw.shape[1:], self.gain, self.bias, EPSILON)
        self.kept[3][place.now], self.kept[4][place.now] = mean, scale
        return a

    def _multiply_changed(self, h: Tensor, changed: Tensor) -> None:
        """Compute `_recurrent` from the new hidden states `h` (rows, d) where `changed` (rows, 1) is not 0."""
        weight = self.weight[: self.width]
        if (rows := nonzero_rows(changed)) is None:
            torch.mm(h, weight, out=self._recurrent[: len(h)])
        else:
            self._recurrent.index_copy_(0, rows, h.index_select(0, rows) @ weight)

    # Backward --------------------------------------------------------------------------------------------------------

    def backward(self, plan: ScanPlan, place: Place, states: States, carried: Carried, grads: list[Tensor]) -> None:
        """Compute the gradient of `forward` for one step.

        Args:
            plan: Layout of the sequences.
            place: Rows of the step.
            states: States of all layers and steps.
            carried: Gradients of the states around the step, updated in place.
            grads: Two tensors with `words` rows, filled for this step: gradients of the pre-activations, and of the
                summed inputs before layer normalisation.
        """
        now, current, before = place
        c, h, z, tanh = states.c, states.h, states.z, states.tanh[now, self.column]
        rows, number = slice(now.stop - now.start), self.number
        own = z[before, number : number + 1]
        i, f, o, g = self.kept[1][now].chunk(4, 1)
        c_before, h_before = c[before, self.column], h[before, self.column]
        d_sums = grads[0][now]
        di, df, do, dg = d_sums[:, : 4 * self.width].chunk(4, 1)
        dh = carried.ending_h[:, self.column]
        d_own = d_below = torch.zeros_like(own)
        if self.below is None:
            fresh_h, update = dh, 1 - own
            dc = fresh_c = torch.addcmul(carried.c[rows, self.column], dh * o, 1 - tanh.square())
            keep = f * update
            d_own = -(dc * c_before * f).sum(1, keepdim=True)
            later_h = None
        else:
            below = z[current, number - 1 : number]
            copy, update = (1 - own) * (1 - below), (1 - own) * below
            fresh_h = dh * (1 - copy)
            dc = torch.addcmul(carried.c[rows, self.column], fresh_h * o, 1 - tanh.square())
            fresh_c = dc * (1 - copy)
            keep = torch.addcmul(copy, f, update)
            d_copy = (dc * torch.addcmul(c_before, i, g, value=-1)).sum(1, keepdim=True)
            d_copy += (dh * torch.addcmul(h_before, o, tanh, value=-1)).sum(1, keepdim=True)
            d_update = (dc * c_before * f).sum(1, keepdim=True)
            d_own = -d_copy * (1 - below) - d_update * below
            d_below = (d_update - d_copy) * (1 - own)
            later_h = dh * copy
        torch.mul(fresh_h, tanh, out=do)
        torch.mul(dc * c_before, update, out=df)
        torch.mul(fresh_c, g, out=di)
        torch.mul(fresh_c, i, out=dg).mul_(1 - g.square())
        sigmoids = self.kept[1][now, : 3 * self.width]
        d_sums[:, : 3 * self.width].mul_(sigmoids).mul_(1 - sigmoids)
        if self.above is not None:
            straight = plan.boundary_slope(self.kept[2][now], now, self.width)
            torch.addcmul(carried.detectors[:, number], carried.ending_z[:, number], straight, out=d_sums[:, -1])
        torch.mul(dc, keep, out=carried.c[rows, self.column])

        d_inputs = self._summed(now, d_sums, grads[1][now]) @ self.weight.t()
        carried.h[rows, self.column] += d_inputs[:, : self.width]
        if later_h is not None:
            carried.h[rows, self.column] += later_h
        if self.above is not None:
            part = d_inputs[:, self._top_down]
            carried.h[rows, self.above].addcmul_(part, own)
            carried.z[rows, number : number + 1] += d_own + (part * h[before, self.above]).sum(1, keepdim=True)
        if self.below is not None:
            part = d_inputs[:, self._bottom_up]
            carried.ending_h[:, self.below].addcmul_(part, below)
            d_below += (part * h[current, self.below]).sum(1, keepdim=True)
            carried.ending_z[:, number - 1 : number] += d_below

    def _summed(self, now: slice, grad: Tensor, out: Tensor) -> Tensor:
        """Write the gradient of the summed inputs to `out` and return it, from that of the pre-activations."""
        return out.copy_(grad if self.gain is None else self._normal_backward(now, grad, (True, False, False))[0])

    def _normal_backward(self, rows: slice, grad: Tensor, wanted: tuple[bool, bool, bool]) -> tuple[Tensor, ...]:
        """Return the gradients that are `wanted` of summed inputs, gain and bias of the layer normalisation."""
        raw, _, _, mean, scale = (tensor[rows] for tensor in self.kept)
        gradients: tuple[Tensor, ...] = torch.ops.aten.native_layer_norm_backward(
            grad, raw, grad.shape[1:], mean, scale, self.gain, self.bias, list(wanted)
        )
        return gradients

    def parameter_gradients(
        self, before: tuple[Tensor, Tensor], after: tuple[Tensor, Tensor], grads: list[Tensor]
    ) -> Iterator[Tensor]:
        """Yield the gradients of weight, bias and, with layer normalisation, gain.

        Args:
            before: Hidden states (words, units) and boundaries (words, layers) before each packed word.
            after: The same after each packed word.
            grads: As in `backward`.
        """
        (h_before, z_before), (h, z), number, sums = before, after, self.number, grads[1]
        inputs = [weight_gradient(h_before[:, self.column], None, sums)]
        if self.above is not None:
            inputs.append(weight_gradient(h_before[:, self.above], z_before[:, number : number + 1], sums))
        if self.below is not None:
            inputs.append(weight_gradient(h[:, self.below], z[:, number - 1 : number], sums))
        yield torch.cat(inputs)
        if self.gain is None:
            yield grads[0].sum(0)
        else:
            _, gain, bias = self._normal_backward(slice(None), grads[0], (False, True, True))
            yield from (bias, gain)


def layers_of(plan: ScanPlan, parameters: tuple[Tensor, ...] | list[Tensor]) -> list[Layer]:
    """Return the layers, lowest first, each with its part of `parameters` (ordered as in `Scan`)."""
    share = len(parameters) // len(plan.widths)
    groups = [tuple(parameters[start : start + share]) for start in range(0, len(parameters), share)]
    return [Layer(number, plan.widths, group) for number, group in enumerate(groups)]
