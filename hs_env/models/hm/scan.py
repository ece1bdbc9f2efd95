"""The differentiable scan of HM-LSTM over sequences of different lengths, with a hand-written gradient.

`hs_env.models.hm.layer_scan` has the equations of a layer. `hs_env.models.hm.plan` explains the layout of the words.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hs_env.models.hm.layer_scan import Carried, States, layers_of
from hs_env.models.hm.plan import ScanPlan


class Scan(torch.autograd.Function):
    """Runs all layers over all steps, with a hand-written gradient.

    Autograd would keep about forty graph nodes per layer and step, and would add up the gradient of the weights step by
    step. Here the backward pass needs one product per layer and step. The gradients of the weights are computed at the
    end, for all words at once.

    The inputs of `apply` are:

    * the plan;
    * `projected` (n, 4d + 1) and `index` (words,) int64, the inputs of the first layer as in `LSTM.scan`;
    * the initial state c (B, units), h (B, units), z (B, layers - 1), into which no gradient flows;
    * weight, bias and, with layer normalisation, gain of each layer, lowest layer first.

    The outputs are h (words, units), z (words, layers - 1), the pre-activations of the detectors (words, layers - 1),
    and c (words, units). No gradient flows through c.
    """

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any,
        plan: ScanPlan,
        projected: Tensor,
        index: Tensor,
        state: tuple[Tensor, Tensor, Tensor],
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        first, total, layers = plan.sizes[0], len(index), layers_of(plan, parameters)
        c, h = (torch.cat([start, start.new_empty(total, start.shape[1])]) for start in state[:2])
        z = h.new_zeros(len(h), len(layers))  # the column of the top layer stays 0
        z[:first, :-1] = state[2]
        states = States(c, h, z, h.new_empty(total, h.shape[1]))
        for layer in layers:
            layer.begin(total, state[1])
        for place in plan.places():
            inputs: Tensor | None = projected.index_select(0, index[place.now])
            for layer in layers:
                layer.forward(plan, place, states, inputs)
                inputs = None
        ctx.save_for_backward(index, *states, *(tensor for layer in layers for tensor in layer.kept), *parameters)
        ctx.plan, ctx.rows = plan, len(projected)
        detectors = torch.stack([layer.kept[2] for layer in layers[:-1]], 1)
        outputs = h[first:].clone(), z[first:, :-1].clone(), detectors, c[first:].clone()
        ctx.mark_non_differentiable(outputs[3])
        return outputs

    @staticmethod
    def backward(  # noqa: D102
        ctx: Any, grad_h: Tensor, grad_z: Tensor, grad_detectors: Tensor, _: Tensor
    ) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("The scan of HM-LSTM has no second derivative. Differentiate it without create_graph.")
        plan: ScanPlan = ctx.plan
        index, *rest = ctx.saved_tensors
        states, rest = States(*rest[:4]), rest[4:]
        kept = 5 * len(plan.widths)
        layers = layers_of(plan, rest[kept:])
        for number, layer in enumerate(layers):
            layer.kept = rest[5 * number : 5 * number + 5]
        grads = [[torch.empty_like(layer.kept[0]) for _ in range(2)] for layer in layers]
        first = plan.sizes[0]
        later = [torch.zeros_like(state[:first]) for state in states[:3]]
        for place in reversed(plan.places()):
            rows = slice(place.now.stop - place.now.start)
            ending_h, ending_z = grad_h[place.now] + later[1][rows], later[2][rows].clone()
            ending_z[:, :-1] += grad_z[place.now]
            later[1][rows] = 0
            later[2][rows] = 0
            carried = Carried(later[0], later[1], later[2], ending_h, ending_z, grad_detectors[place.now])
            for layer, grad in zip(reversed(layers), reversed(grads), strict=True):
                layer.backward(plan, place, states, carried, grad)
        grad_projected = None
        if ctx.needs_input_grad[1]:
            sums = grads[0][1]
            grad_projected = sums.new_zeros(ctx.rows, sums.shape[1]).index_add_(0, index, sums)
        before, after = (plan.before(states.h), plan.before(states.z)), (states.h[first:], states.z[first:])
        of_parameters = [
            part
            for layer, grad in zip(layers, grads, strict=True)
            for part in layer.parameter_gradients(before, after, grad)
        ]
        return (None, grad_projected, None, None, *of_parameters)
