"""Cores of character language models: the recurrent layers between the embedding and the softmax, by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import ClassVar, Final, NamedTuple

import torch
from torch import Tensor, nn

from hs_env.models.h_net.layers import HNet
from hs_env.models.h_net.routers import RouterName, make_router
from hs_env.models.h_net.stack import Gates, LSTMStack, Reading
from hs_env.models.hm.boundary import Boundary, annealed_slope, operation_shares
from hs_env.models.hm.layers import HMLSTM, GatedOutput, HMState
from hs_env.models.rate import Decisions
from hs_env.registry import Registry

State = tuple[Tensor, ...]
"""Recurrent state that one stretch of text passes to the next."""


class CoreReading(NamedTuple):
    """What a core computes for T characters of B streams.

    Attributes:
        h: (T, B, units) hidden states.
        boundaries: (T, B, levels) floats, lowest level first: 0 or 1, or between them if soft. None for a core without
            boundaries.
        state: State after the last character, without gradient.
        decisions: Decisions of the levels, for the control of their rates; empty if gradients are disabled.
        gates: Sampled boundaries of H-Net with (T, B, units) vectors and (T, B) log-probabilities; None otherwise.
    """

    h: Tensor
    boundaries: Tensor | None
    state: State
    decisions: list[Decisions]
    gates: Gates | None = None


class Core(ABC):
    """Interface of the recurrent layers; implementations are torch modules.

    Attributes:
        title: Name in messages.
        finds_boundaries: Whether `read` returns boundaries.
        boundary_rate: Default target of the boundary rate, or None.
    """

    title: ClassVar[str]
    finds_boundaries: ClassVar[bool] = True
    boundary_rate: ClassVar[float | None] = None

    @classmethod
    @abstractmethod
    def make(cls, options: CoreOptions) -> Core:
        """Return a core with new weights."""

    @abstractmethod
    def output(self, width: int) -> nn.Module:
        """Return a new layer from the hidden states to the input of the softmax, of the given width."""

    @abstractmethod
    def read(self, vectors: Tensor, where: Tensor, state: State | None, tokens: Tensor) -> CoreReading:
        """Read T characters of B streams.

        Args:
            vectors: (rows, e) inputs. Several characters may share a row.
            where: (T, B) int64, row of each character.
            state: State after the characters before; None at the start of the streams.
            tokens: (T, B) int64, position of each character in the alphabet.
        """

    def anneal(self, epoch: float, slope_per_epoch: float) -> None:  # noqa: B027
        """Adapt to the epoch, counted from 0 and possibly fractional."""

    def settings(self) -> dict[str, float]:
        """Return what `anneal` has set, by name."""
        return {}

    def scores(self, boundaries: Tensor) -> dict[str, float]:
        """Return shares of the characters by name and level: `boundaries_1` is the share with a boundary of level 1.

        Args:
            boundaries: (T, B, levels) boundaries of streams that began with an empty state.
        """
        rates = boundaries.mean((0, 1)).tolist()
        return {f"boundaries_{level}": rate for level, rate in enumerate(rates, 1)}


class CoreOptions(NamedTuple):
    """Options of all cores; each uses some.

    Attributes:
        input_size: e, width of the inputs.
        hidden_size: Number of units per layer.
        layers: Number of layers; for H-Net that of the main network.
        layer_norm: Whether HM-LSTM uses layer normalisation.
        boundary: How HM-LSTM decides boundaries.
        stages: Number of times that H-Net cuts the text.
        router: How H-Net decides boundaries.
        rate: Boundary rate of H-Net's router; see `make_router`.
        spaces: Positions of the white-space characters in the alphabet.
    """

    input_size: int
    hidden_size: int
    layers: int
    layer_norm: bool = True
    boundary: Boundary = "step"
    stages: int = 1
    router: RouterName = "cosine"
    rate: float = 0.2
    spaces: Collection[int] = ()


CORES: Final[Registry[type[Core]]] = Registry("core")
"""Cores by versioned name."""


@CORES.register("hm_lstm.v1")
class HMCore(HMLSTM, Core):
    """HM-LSTM with the gated output module of its paper (Chung, Ahn, Bengio 2017)."""

    title = "HM-LSTM"

    @classmethod
    def make(cls, options: CoreOptions) -> HMCore:
        """See `Core.make`."""
        widths = (options.hidden_size,) * options.layers
        return cls(options.input_size, widths, options.layer_norm, options.boundary)

    def output(self, width: int) -> GatedOutput:
        """See `Core.output`."""
        return GatedOutput(self.widths, width)

    def read(self, vectors: Tensor, where: Tensor, state: State | None, tokens: Tensor) -> CoreReading:
        """See `Core.read`."""
        steps, batch = where.shape
        before = None if state is None else HMState(*state)
        reading = self.scan(self.project(vectors), where.flatten(), [batch] * steps, before)
        stream = torch.arange(batch, device=where.device).repeat(steps)
        return CoreReading(
            reading.h.view(steps, batch, -1),
            reading.z.view(steps, batch, -1),
            (reading.state.c, reading.state.h, reading.state.z),
            self.decisions(reading, stream),
        )

    def anneal(self, epoch: float, slope_per_epoch: float) -> None:
        """See `Core.anneal`; sets the slope of the detectors."""
        self.slope = annealed_slope(epoch, slope_per_epoch)

    def settings(self) -> dict[str, float]:
        """See `Core.settings`."""
        return {"slope": self.slope}

    def scores(self, boundaries: Tensor) -> dict[str, float]:
        """See `Core.scores`; adds the shares of the operations UPDATE, COPY and FLUSH of each layer."""
        return operation_shares(boundaries)


@CORES.register("lstm.v1")
class PlainCore(nn.LSTM, Core):
    """A stack of `torch.nn.LSTM` layers."""

    title, finds_boundaries = "Plain LSTM", False

    @classmethod
    def make(cls, options: CoreOptions) -> PlainCore:
        """See `Core.make`; the bias of the forget gates is 1, as in the other models."""
        core, d = cls(options.input_size, options.hidden_size, options.layers), options.hidden_size
        for name, parameter in core.named_parameters():
            if name.startswith("bias_ih"):
                nn.init.ones_(parameter.data[d : 2 * d])
        return core

    def output(self, width: int) -> nn.Module:
        """See `Core.output`."""
        return nn.Sequential(nn.Linear(self.hidden_size, width), nn.ReLU())

    def read(self, vectors: Tensor, where: Tensor, state: State | None, tokens: Tensor) -> CoreReading:
        """See `Core.read`."""
        h, after = self(nn.functional.embedding(where, vectors), None if state is None else tuple(state))
        return CoreReading(h, None, tuple(part.detach() for part in after), [])


@CORES.register("ln_lstm.v1")
class NormalisedCore(LSTMStack, Core):
    """A stack of LSTM layers with layer normalisation of their outputs: the layers of H-Net without chunks."""

    title, finds_boundaries = "Layer-normalised LSTM", False

    @classmethod
    def make(cls, options: CoreOptions) -> NormalisedCore:
        """See `Core.make`."""
        return cls(options.input_size, options.hidden_size, options.layers)

    def output(self, width: int) -> nn.Module:
        """See `Core.output`."""
        return nn.Sequential(nn.Linear(self.hidden_size, width), nn.ReLU())

    def read(self, vectors: Tensor, where: Tensor, state: State | None, tokens: Tensor) -> CoreReading:
        """See `Core.read`."""
        reading: Reading = self(vectors, where.t().flatten(), _lengths(where), state)
        return CoreReading(_by_step(reading.output, where), None, reading.state, [])


@CORES.register("h_net.v1")
class HNetCore(HNet, Core):
    """H-Net over LSTM layers (Hwang, Wang, Gu 2025)."""

    title, boundary_rate = "H-Net", 0.2

    @classmethod
    def make(cls, options: CoreOptions) -> HNetCore:
        """See `Core.make`."""
        router = make_router(options.router, options.hidden_size, options.rate, options.spaces)
        return cls(options.input_size, options.hidden_size, options.layers, options.stages, router)

    def output(self, width: int) -> nn.Module:
        """See `Core.output`."""
        return nn.Sequential(nn.Linear(self.width, width), nn.ReLU())

    def read(self, vectors: Tensor, where: Tensor, state: State | None, tokens: Tensor) -> CoreReading:
        """See `Core.read`."""
        reading: Reading = self(vectors, where.t().flatten(), _lengths(where), state, tokens.t().flatten())
        gates = reading.gates
        if gates is not None:
            gates = Gates(_by_step(gates.x, where), _by_step(gates.log_probs, where).squeeze(-1))
        output, boundaries = _by_step(reading.output, where), _by_step(reading.boundaries, where)
        return CoreReading(output, boundaries, reading.state, reading.decisions, gates)


def _lengths(where: Tensor) -> Tensor:
    """Return the number of characters of each stream, (B,) int64, for (T, B) characters."""
    return torch.full(where.shape[1:], where.shape[0], device=where.device)


def _by_step(values: Tensor, where: Tensor) -> Tensor:
    """Return values of (T, B) characters, stored one stream after the other, as (T, B, n)."""
    steps, batch = where.shape
    return values.view(batch, steps, -1).transpose(0, 1)
