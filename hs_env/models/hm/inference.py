"""HM-LSTM without gradients, which computes nothing for the sequences that a layer copies.

UPDATE and FLUSH need the matrix products of a layer, COPY needs none (Chung, Ahn, Bengio 2017, section 3.1). At each
step a layer therefore gathers the sequences that it updates or flushes, and computes only those. The result is exact
for two reasons:

* The detector of a copied sequence depends on `h^l_{t-1} U^l` alone, because both other inputs are multiplied by 0.
  This product changes only when h^l changes. It is stored, and the next UPDATE or FLUSH uses it too.
* The top-down input is multiplied by the layer's own boundary, so only flushed sequences have one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.models.hm.boundary import decide
from hs_env.models.hm.layer_scan import EPSILON, Layer
from hs_env.models.hm.plan import ScanPlan
from hs_env.models.lstm import fast_tanh


class Reader:
    """Runs the layers of HM-LSTM step by step over B packed sequences.

    The sequences are in the order of the packed layout, longest first. Below, "units" is the sum of all layers' widths.

    Args:
        plan: Layout of the sequences. The threshold 1/2 decides all boundaries, whatever the plan's kind.
        layers: Layers with their parameters, lowest first.
        state: Initial c (B, units), h (B, units) and z (B, layers - 1).

    Attributes:
        c: (B, units) cell states after the steps so far. A finished sequence keeps its last state.
        h: (B, units) hidden states, likewise.
        z: (B, layers) boundaries, likewise; always 0 for the top layer.
        computed: Number of layer updates computed so far. Without COPY it would be words times layers.
    """

    def __init__(self, plan: ScanPlan, layers: list[Layer], state: tuple[Tensor, Tensor, Tensor]) -> None:
        self.plan, self.layers = plan, layers
        self.c, self.h = state[0].clone(), state[1].clone()
        self.z = self.h.new_zeros(len(self.h), len(layers))
        self.z[:, :-1] = state[2]
        self.computed = 0
        middle = layers[1:-1]
        self._recurrent = {layer.number: self.h[:, layer.column] @ layer.weight[: layer.width] for layer in middle}
        self._copied = {layer.number: self._detector(layer, self._recurrent[layer.number]) for layer in middle}

    def read(self, projected: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Run all steps.

        Args:
            projected: (rows, 4d + 1) projected inputs of the first layer. Several words may share a row.
            index: (words,) int64, row of `projected` for each packed word.

        Returns:
            Packed hidden states (words, units) and packed boundaries (words, layers - 1).
        """
        h, z = self.h.new_empty(len(index), self.h.shape[1]), self.z.new_empty(len(index), self.z.shape[1] - 1)
        for now, _, _ in self.plan.places():
            size = now.stop - now.start
            flushed = self.z[:size].bool()  # a boundary at the last step means FLUSH at this one
            ends = None if self.plan.ends is None else self.plan.ends[now]
            below = self.lowest(self.layers[0], projected.index_select(0, index[now]), flushed[:, 0], ends)
            for layer in self.layers[1:]:
                below = self.higher(layer, flushed[:, layer.number], below, ends)
            h[now], z[now] = self.h[:size], self.z[:size, :-1]
        return h, z

    def lowest(self, layer: Layer, projected: Tensor, flushed: Tensor, ends: Tensor | None) -> Tensor:
        """Run one step of the lowest layer, which never copies; return its boundaries (rows,) bool."""
        size, d, above = len(projected), layer.width, layer.above
        assert above is not None
        c, h = self.c[:size, layer.column], self.h[:size, layer.column]
        sums = torch.addmm(projected, h, layer.weight[:d])
        rows = flushed.nonzero().squeeze(1)
        sums.index_add_(0, rows, self.h[:size, above].index_select(0, rows) @ layer.weight[d:])
        a = _normalised(layer, sums)
        i, f, o = torch.sigmoid(a[:, : 3 * d]).chunk(3, 1)
        c.mul_(f).masked_fill_(flushed[:, None], 0).addcmul_(i, fast_tanh(a[:, 3 * d : 4 * d]))
        torch.mul(o, fast_tanh(c), out=h)
        self.computed += size
        return self._decided(layer, a[:, -1], ends)

    def higher(self, layer: Layer, flushed: Tensor, below: Tensor, ends: Tensor | None) -> Tensor:
        """Run one step of another layer for the sequences that it does not copy.

        Args:
            layer: Layer to run.
            flushed: (rows,) bool, whether the layer had a boundary at the step before.
            below: (rows,) bool, whether the layer below has a boundary at this step.
            ends: (rows,) bool, whether a boundary is forced, or None.

        Returns:
            (rows,) bool boundaries of all sequences; for the top layer, which has none, `below`.
        """
        size, number, d = len(below), layer.number, layer.width
        active = flushed | below
        detector = self._copied[number][:size].clone() if number in self._copied else None
        rows = active.nonzero().squeeze(1)
        if len(rows):
            self.computed += len(rows)
            # FLUSH ignores the old cell state; without a boundary below there is no bottom-up input.
            own, low = flushed.index_select(0, rows)[:, None], below.index_select(0, rows)[:, None]
            h = self.h.index_select(0, rows)
            assert layer.below is not None
            inputs = [h[:, layer.below] * low]
            if layer.above is not None:
                inputs.insert(0, h[:, layer.above] * own)
            if detector is None:
                sums = torch.cat([h[:, layer.column], *inputs], 1) @ layer.weight
            else:
                recurrent = self._recurrent[number].index_select(0, rows)
                sums = torch.addmm(recurrent, torch.cat(inputs, 1), layer.weight[d:])
            a = _normalised(layer, sums)
            i, f, o = torch.sigmoid(a[:, : 3 * d]).chunk(3, 1)
            c = self.c[:, layer.column].index_select(0, rows).mul_(f).masked_fill_(own, 0)
            c.addcmul_(i, fast_tanh(a[:, 3 * d : 4 * d]))
            new = o * fast_tanh(c)
            self.c[:, layer.column].index_copy_(0, rows, c)
            self.h[:, layer.column].index_copy_(0, rows, new)
            if detector is not None:
                detector.index_copy_(0, rows, a[:, -1])
                recurrent = new @ layer.weight[:d]
                self._recurrent[number].index_copy_(0, rows, recurrent)
                self._copied[number].index_copy_(0, rows, self._detector(layer, recurrent))
        return below if detector is None else self._decided(layer, detector, ends)

    def _decided(self, layer: Layer, detector: Tensor, ends: Tensor | None) -> Tensor:
        """Store the boundaries of a layer from its detector's pre-activations (rows,), and return them as bool."""
        boundary = decide(detector, self.plan.slope, "step", None)
        if ends is not None:
            boundary.masked_fill_(ends, 1)
        self.z[: len(boundary), layer.number] = boundary
        return boundary.bool()

    @staticmethod
    def _detector(layer: Layer, sums: Tensor) -> Tensor:
        """Return the detector's pre-activation (n,) from the summed inputs (n, 4d + 1), normalised if asked for."""
        if layer.gain is None:
            return sums[:, -1] + layer.bias[-1]
        variance, mean = torch.var_mean(sums, 1, correction=0)
        return (sums[:, -1] - mean) * torch.rsqrt(variance + EPSILON) * layer.gain[-1] + layer.bias[-1]


def _normalised(layer: Layer, sums: Tensor) -> Tensor:
    """Add the bias to summed inputs (n, 4d + 1), after layer normalisation if the layer has any."""
    if layer.gain is None:
        return sums.add_(layer.bias)
    return torch.native_layer_norm(sums, sums.shape[1:], layer.gain, layer.bias, EPSILON)[0]
