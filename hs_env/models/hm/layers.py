"""HM-LSTM: the hierarchical multiscale LSTM (Chung, Ahn, Bengio, ICLR 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hs_env.errors import HsEnvError
from hs_env.models.hm.boundary import Boundary, check_boundary, uniform
from hs_env.models.hm.inference import Reader
from hs_env.models.hm.scan import Scan, ScanPlan, layers_of


@dataclass(frozen=True, slots=True)
class HMState:
    """Where B sequences stand.

    Attributes:
        c: (B, D) cell states of all layers side by side, lowest first; D is the sum of their widths.
        h: (B, D) hidden states.
        z: (B, N - 1) boundaries of all layers but the top one.
    """

    c: Tensor
    h: Tensor
    z: Tensor

    def select(self, rows: slice | Tensor) -> HMState:
        """The state of some sequences."""
        return HMState(self.c[rows], self.h[rows], self.z[rows])


class HMLSTM(nn.Module):
    """A stack of LSTM layers, each but the top one with a detector of the boundaries of what it has read.

    At each step a layer does one of three things::

        UPDATE  its own boundary was 0, the layer below has one:  c = f * c + i * g,  h = o * tanh(c)
        COPY    neither:                                          c and h stay as they are
        FLUSH   its own boundary was 1:                           c = i * g,          h = o * tanh(c)

    The detector learns by the straight-through estimator: forward it gives 0 or 1, backward it is a hard sigmoid, whose
    `slope` may grow as training goes on (`annealed_slope`). The state that comes in from an earlier stretch is a
    constant: no gradient flows into it.

    Layer normalisation is that of the summed inputs (Ba, Kiros, Hinton 2016, equation 4), gates and detector together;
    the paper does not say where its own stands.

    Args:
        input_size: e, width of the inputs.
        hidden_sizes: d of each layer, lowest first; at least two.
        layer_norm: Normalise the summed inputs of each layer.
        boundary: How detectors decide; what is drawn in training mode is decided by the threshold in eval mode.

    Attributes:
        slope: Of the hard sigmoid, saved with the weights.
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
        """Of the hard sigmoid."""
        return float(self.slope_buffer)

    @slope.setter
    def slope(self, value: float) -> None:
        if not 0 < value < float("inf"):
            raise HsEnvError(f"The slope of the boundary detectors must be a number above 0, got {value!r}.")
        self.slope_buffer.fill_(value)

    def reset_parameters(self) -> None:
        """Glorot weights from other layers, orthogonal ones of a layer's own gates; forget gates at 1."""
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
        """The state of `batch_size` sequences of which nothing has been read."""
        zeros = self.weight_in.new_zeros(batch_size, sum(self.widths))
        return HMState(zeros, zeros, zeros.new_zeros(batch_size, len(self.widths) - 1))

    def project(self, x: Tensor) -> Tensor:
        """(n, e) inputs to what the first layer adds up, (n, 4d + 1); who shares an input shares its projection."""
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
    ) -> tuple[Tensor, Tensor, HMState]:
        """Read ragged sequences, packed as `hs_env.models.lstm.LSTM.scan` has them.

        Without gradients, where boundaries are decided by the threshold, what is copied is not computed (to 1e-5 the
        same as with gradients).

        Args:
            projected: (K, 4d + 1) projected inputs; sequences may share rows.
            index: (M,) int64, the row of `projected` that each step reads.
            sizes: How many sequences have a first step, a second step, ...; never growing, sums to M.
            state: Of the `sizes[0]` sequences at first; nothing by default.
            ends: (M,) bool, steps at which every layer has a boundary, whatever its detector says.
            generator: Of what is drawn.

        Returns:
            Hidden states h (M, D) of all layers and boundaries z (M, N - 1), both differentiable; the state of each
            sequence after its last step.
        """
        drawn = self.boundary == "sample" and self.training
        noise = uniform(len(index), len(self.widths) - 1, projected, generator) if drawn else None
        plan = ScanPlan(self.widths, sizes, self.boundary, self.slope, noise, ends)
        state = self.start(sizes[0]) if state is None else state
        first = state.c.detach(), state.h.detach(), state.z.detach()
        kinds = (self.weights, self.biases) if self.gains is None else (self.weights, self.biases, self.gains)
        parameters = [part for layer in zip(*kinds, strict=True) for part in layer]
        if not (torch.is_grad_enabled() or drawn or self.boundary == "soft"):
            reader = Reader(plan, layers_of(plan, parameters), first)
            h, z = reader.read(projected, index)
            return h, z, HMState(reader.c, reader.h, reader.z[:, :-1])
        h, z, c = Scan.apply(plan, projected, index, first, *parameters)
        last = plan.last(h.device)
        return h, z, HMState(c[last], h.detach()[last], z.detach()[last])

    def forward(
        self, x: Tensor, state: HMState | None = None, *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, HMState]:
        """Read T more steps of B sequences.

        Args:
            x: (T, B, e) inputs.
            state: As it came out of the steps before; nothing has been read by default.
            generator: Of what is drawn.

        Returns:
            Hidden states (T, B, D), boundaries (T, B, N - 1), and the state to go on from.
        """
        steps, batch, _ = x.shape
        index = torch.arange(steps * batch, device=x.device)
        h, z, after = self.scan(self.project(x.flatten(0, 1)), index, [batch] * steps, state, generator=generator)
        return h.view(steps, batch, -1), z.view(steps, batch, -1), after


class GatedOutput(nn.Module):
    """The output module: gates g^l = sigm(w^l [h^1; ...; h^N]), and e = ReLU(sum_l g^l E_l h^l) (equations 11 and 12).

    Args:
        hidden_sizes: d of each layer.
        output_size: Width of e.
    """

    def __init__(self, hidden_sizes: Sequence[int], output_size: int) -> None:
        super().__init__()
        self.widths = tuple(hidden_sizes)
        self.gates = nn.Linear(sum(hidden_sizes), len(hidden_sizes), bias=False)
        self.embeddings = nn.Linear(sum(hidden_sizes), output_size, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        """(..., D) hidden states of all layers to (..., output_size)."""
        gates = torch.sigmoid(self.gates(h))
        widths = torch.tensor(self.widths, device=h.device)
        return torch.relu(self.embeddings(h * gates.repeat_interleave(widths, -1, output_size=h.shape[-1])))
