"""Interface of the recurrent layers between the embedding and the softmax of a language model, and their registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import ClassVar, Final, NamedTuple

import torch
from torch import Tensor, nn

from hs_env.models.h_net.routers import RouterName
from hs_env.models.h_net.stack import Gates
from hs_env.models.hm.boundary import Boundary
from hs_env.models.rate import DEFAULT_RATE, Decisions
from hs_env.registry import Registry

State = tuple[Tensor, ...]
"""Recurrent state that one stretch of text passes to the next."""

Predict = Callable[[Tensor], Tensor]
"""Function from hidden states (..., units) to log-probabilities of the next character (..., V)."""


class CoreReading(NamedTuple):
    """What a core computes for T characters of B streams.

    Attributes:
        log_probs: (T, B, V) log-probabilities of the character after each character.
        boundaries: (T, B, levels) floats, lowest level first: 0 or 1, or between them if soft. Those of a segmental
            model depend on all T characters. None for a core without boundaries.
        state: State after the last character, without gradient.
        decisions: Decisions of the levels, for the control of their rates; empty if gradients are disabled.
        gates: Sampled boundaries of H-Net with (T, B, units) vectors and (T, B) log-probabilities; None otherwise.
    """

    log_probs: Tensor
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
        own_fields: Fields of `LMConfig` that only some cores use, of those that this one uses.
        hidden_size: Width of the hidden states, for the default `output`.
    """

    title: ClassVar[str]
    finds_boundaries: ClassVar[bool] = True
    boundary_rate: ClassVar[float | None] = None
    own_fields: ClassVar[tuple[str, ...]] = ()
    hidden_size: int

    @classmethod
    @abstractmethod
    def make(cls, options: CoreOptions) -> Core:
        """Return a core with new weights."""

    def output(self, width: int) -> nn.Module:
        """Return new layers from the hidden states to the input of the softmax, of the given width."""
        return nn.Sequential(nn.Linear(self.hidden_size, width), nn.ReLU())

    @abstractmethod
    def read(
        self, vectors: Tensor, where: Tensor, state: State | None, tokens: Tensor, predict: Predict
    ) -> CoreReading:
        """Read T characters of B streams.

        Args:
            vectors: (rows, e) inputs. Several characters may share a row.
            where: (T, B) int64, row of each character.
            state: State after the characters before; None at the start of the streams.
            tokens: (T, B) int64, position of each character in the alphabet.
            predict: Output layers of the model.
        """

    def anneal(self, epoch: float, slope_per_epoch: float) -> None:  # noqa: B027
        """Adapt to the epoch, counted from 0 and possibly fractional."""

    def settings(self) -> dict[str, float]:
        """Return what `anneal` has set, by name."""
        return {}

    def scores(self, boundaries: Tensor, counted: Tensor) -> dict[str, float]:
        """Return shares of the characters by name and level: `boundaries_1` is the share with a boundary of level 1.

        Args:
            boundaries: (T, B, levels) boundaries of streams that began with an empty state.
            counted: (T, B) bool, True for the characters to count, at least one.
        """
        rates = boundaries[counted].mean(0).tolist()
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
    rate: float = DEFAULT_RATE
    spaces: Collection[int] = ()


CORES: Final[Registry[type[Core]]] = Registry("core", subclasses_of=(Core,))
"""Cores by versioned name."""


def lengths_of(where: Tensor) -> Tensor:
    """Return the number of characters of each stream, (B,) int64, for (T, B) characters."""
    return torch.full(where.shape[1:], where.shape[0], device=where.device)


def by_step(values: Tensor, where: Tensor) -> Tensor:
    """Return values of (T, B) characters, stored one stream after the other, as (T, B, n)."""
    steps, batch = where.shape
    return values.view(batch, steps, -1).transpose(0, 1)
