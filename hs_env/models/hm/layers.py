"""HM-LSTM: the hierarchical multiscale LSTM (Chung, Ahn, Bengio, ICLR 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hs_env.compute import uniform
from hs_env.errors import HsEnvError
from hs_env.models.hm.boundary import Boundary, check_boundary, hard_sigmoid
from hs_env.models.hm.inference import Reader
from hs_env.models.hm.layer_scan import layers_of
from hs_env.models.hm.plan import ScanPlan
from hs_env.models.hm.scan import Scan
from hs_env.models.lstm import last_rows
from hs_env.models.rate import Decisions


@dataclass(frozen=True, slots=True)
class HMState:
    """The recurrent state of B sequences.

    Attributes:
        c: (B, units) cell states of all layers side by side, lowest layer first; "units" is the sum of their widths.
        h: (B, units) hidden states, likewise.
        z: (B, layers - 1) boundaries of all layers but the top one, as floats.
    """

    c: Tensor
    h: Tensor
    z: Tensor


class HMReading(NamedTuple):
    """What `HMLSTM.scan` computes for packed words.

    Attributes:
        h: (words, units) hidden states of all layers.
        z: (words, layers - 1) boundaries.
        state: State of each sequence after its last word, without gradient.
        detectors: (words, layers - 1) pre-activations of the boundary detectors; None if gradients are disabled.
    """

    h: Tensor
    z: Tensor
    state: HMState
    detectors: Tensor | None


class HMLSTM(nn.Module):
    """A stack of LSTM layers that detect where segments end (Chung, Ahn, Bengio 2017, section 3.1).

    Each layer but the top one has a boundary detector. Layer l at step t computes (h^0 = x, z^0 = 1)::

        s = h^l_{t-1} U + z^l_{t-1} h^{l+1}_{t-1} V + z^{l-1}_t h^{l-1}_t W + b       (no V in the top layer)
        i, f, o, g = sigm, sigm, sigm, tanh of the first 4d columns of s
        z^l_t = 1 if hard_sigm(last column of s) > 1/2, else 0
        UPDATE  if z^l_{t-1} = 0 and z^{l-1}_t = 1:   c = f * c_{t-1} + i * g,   h = o * tanh(c)
        COPY    if z^l_{t-1} = 0 and z^{l-1}_t = 0:   c = c_{t-1},               h = h_{t-1}
        FLUSH   if z^l_{t-1} = 1:                     c = i * g,                 h = o * tanh(c)

    The straight-through estimator trains the detectors: z is a step function in the forward pass and has the derivative
    of the hard sigmoid in the backward pass, divided by the square root of d. The `slope` of the hard sigmoid may grow
    during training, as in `annealed_slope`. No gradient flows into the initial state.

    Layer normalisation applies to the sum s without b (Ba, Kiros, Hinton 2016, equation 4), for the gates and the
    detector together. The HM-LSTM paper does not say where it normalises.

    Args:
        input_size: e, width of the inputs.
        hidden_sizes: Width d of each layer, lowest layer first; at least two layers.
        layer_norm: Whether to normalise the summed inputs of each layer.
        boundary: How detectors decide; see `Boundary`.

    Attributes:
        slope: Slope of the hard sigmoid, saved with the weights.
        widths: Width d of each layer, lowest layer first.
        weight_in: (e, 4d + 1) input weights of the first layer.
        weights: U, V and W of each layer, one below the other; without the W of the first layer.
        biases: (4d + 1,) bias of each layer, (4d,) in the top layer.
        gains: Gain of the layer normalisation, with the shape of the bias; None without normalisation.
    """

    slope_buffer: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_sizes: Sequence[int],
        layer_norm: bool = True,
        boundary: Boundary = "step",
    ) -> None:
        super().__init__()
        if len(hidden_sizes) < 2 or min(hidden_sizes) < 1:
            raise HsEnvError(f"HM-LSTM needs two or more layers of one or more units, got widths {list(hidden_sizes)}.")
        check_boundary(boundary)
        self.input_size, self.widths, self.boundary = input_size, tuple(hidden_sizes), boundary
        layers = len(self.widths)
        outputs = [4 * width + (layer + 1 < layers) for layer, width in enumerate(self.widths)]
        around = [sum(self.widths[max(layer - 1, 0) : layer + 2]) for layer in range(layers)]
        self.weight_in = nn.Parameter(torch.empty(input_size, outputs[0]))
        self.weights = nn.ParameterList(torch.empty(n, m) for n, m in zip(around, outputs, strict=True))
        self.biases = nn.ParameterList(torch.empty(m) for m in outputs)
        self.gains = nn.ParameterList(torch.empty(m) for m in outputs) if layer_norm else None
        self.register_buffer("slope_buffer", torch.tensor(1.0))
        self.reset_parameters()

    @property
    def slope(self) -> float:
        """Slope of the hard sigmoid, above 0."""
        return float(self.slope_buffer)

    @slope.setter
    def slope(self, value: float) -> None:
        if not 0 < value < float("inf"):
            raise HsEnvError(f"The slope of the boundary detectors must be a number above 0, got {value!r}.")
        self.slope_buffer.fill_(value)

    def reset_parameters(self) -> None:
        """Draw orthogonal recurrent weights and Glorot-uniform other weights; set the bias of forget gates to 1."""
        nn.init.xavier_uniform_(self.weight_in)
        with torch.no_grad():
            for weight, bias, d in zip(self.weights, self.biases, self.widths, strict=True):
                for block in weight[:, : 4 * d].split(d, 1):
                    nn.init.xavier_uniform_(block)
                    block[:d] = nn.init.orthogonal_(torch.empty(d, d))
                nn.init.xavier_uniform_(weight[:, 4 * d :])
                bias.zero_()
                bias[d : 2 * d] = 1
            for gain in self.gains or ():
                gain.fill_(1)

    def start(self, batch_size: int) -> HMState:
        """Return the zero state of `batch_size` sequences."""
        zeros = self.weight_in.new_zeros(batch_size, sum(self.widths))
        return HMState(zeros, zeros, zeros.new_zeros(batch_size, len(self.widths) - 1))

    def project(self, x: Tensor) -> Tensor:
        """Return the bottom-up input of the first layer, (n, 4d + 1), for inputs `x` (n, e).

        An input that occurs in several sequences needs to be projected only once.
        """
        return x @ self.weight_in

    def scan(
        self,
        projected: Tensor,
        index: Tensor,
        sizes: list[int],
        state: HMState | None = None,
        *,
        ends: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> HMReading:
        """Run all layers over packed sequences; `hs_env.models.lstm` explains the packed layout.

        If gradients are disabled and no boundary is drawn or soft, copied states are not computed. The results then
        agree with those with gradients up to 1e-5.

        Args:
            projected: (rows, 4d + 1) projected inputs. Several words may share a row.
            index: (words,) int64, row of `projected` for each packed word.
            sizes: Number of sequences at each step. It never increases, and its sum is the number of words.
            state: Initial state of the `sizes[0]` sequences, in packed order; zero by default.
            ends: (words,) bool, packed words after which every layer has a boundary, whatever its detector says.
            generator: Generator of the random boundaries.
        """
        drawn = self.boundary == "sample" and self.training
        shape = len(index), len(self.widths) - 1
        noise = uniform(shape, generator, projected.device, projected.dtype) if drawn else None
        plan = ScanPlan(self.widths, sizes, self.boundary, self.slope, noise, ends)
        state = self.start(sizes[0]) if state is None else state
        first = state.c.detach(), state.h.detach(), state.z.detach()
        kinds = (self.weights, self.biases) if self.gains is None else (self.weights, self.biases, self.gains)
        parameters = [part for layer in zip(*kinds, strict=True) for part in layer]
        if projected.is_cpu and not (torch.is_grad_enabled() or drawn or self.boundary == "soft"):
            reader = Reader(plan, layers_of(plan, parameters), first)
            h, z = reader.read(projected, index)
            return HMReading(h, z, HMState(reader.c, reader.h, reader.z[:, :-1]), None)
        h, z, detectors, c = Scan.apply(plan, projected, index, first, *parameters)
        last = last_rows(sizes, h.device)
        return HMReading(h, z, HMState(c[last], h.detach()[last], z.detach()[last]), detectors)

    def decisions(self, reading: HMReading, sequence: Tensor, ends: Tensor | None = None) -> list[Decisions]:
        """Return the free decisions of each detector, lowest layer first; empty if gradients were disabled.

        A forced boundary is no decision. Of a detector above the lowest one, only the decisions where the layer below
        has a boundary are returned. It may also fire elsewhere: its layer then copies its state, from which it decides.

        Args:
            reading: Result of `scan`.
            sequence: (words,) int64, sequence of each packed word.
            ends: As for `scan`.
        """
        if reading.detectors is None:
            return []
        free = torch.ones_like(sequence, dtype=torch.bool) if ends is None else ~ends
        levels = []
        for z, detector in zip(reading.z.unbind(1), reading.detectors.unbind(1), strict=True):
            p = hard_sigmoid(detector[free], self.slope)
            levels.append(Decisions(z.detach()[free], p, detector[free], sequence[free]))
            free = free & (z.detach() > 0.5)
        return levels

    def forward(
        self, x: Tensor, state: HMState | None = None, *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, HMState]:
        """Run all layers over T steps of B sequences of equal length.

        Args:
            x: (T, B, e) inputs.
            state: Initial state, such as the returned state of the steps before; zero by default.
            generator: Generator of the random boundaries.

        Returns:
            Hidden states (T, B, units); boundaries (T, B, layers - 1); and the state after the last step.
        """
        steps, batch, _ = x.shape
        index = torch.arange(steps * batch, device=x.device)
        h, z, after, _ = self.scan(self.project(x.flatten(0, 1)), index, [batch] * steps, state, generator=generator)
        return h.view(steps, batch, -1), z.view(steps, batch, -1), after


class GatedOutput(nn.Module):
    """The output module of HM-LSTM (Chung, Ahn, Bengio 2017, equations 11 and 12).

    A scalar gate weights each layer, with h the hidden states of all layers side by side::

        g^l = sigm(w^l . h)
        output = ReLU(sum_l g^l E_l h^l)

    Args:
        hidden_sizes: Width d of each layer, lowest layer first.
        output_size: Width of the output.
    """

    def __init__(self, hidden_sizes: Sequence[int], output_size: int) -> None:
        super().__init__()
        self.widths = tuple(hidden_sizes)
        self.gates = nn.Linear(sum(hidden_sizes), len(hidden_sizes), bias=False)
        self.embeddings = nn.Linear(sum(hidden_sizes), output_size, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        """Return the output (..., output_size) for hidden states `h` (..., units) of all layers."""
        gates = torch.sigmoid(self.gates(h))
        widths = torch.tensor(self.widths, device=h.device)
        return torch.relu(self.embeddings(h * gates.repeat_interleave(widths, -1, output_size=h.shape[-1])))
