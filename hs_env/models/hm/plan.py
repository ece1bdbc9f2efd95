"""The layout of sequences of different lengths in the scan of HM-LSTM, and how its boundaries are decided.

Words are packed as `hs_env.models.lstm` explains. The states have one more block of rows than the words: the initial
states come first, then the states after each packed word. A step over `size` sequences reads the first `size` rows of
one block and writes the next block. `ScanPlan.places` returns the rows. For sequences of lengths 3, 2 and 1 they are::

    step                          0          1          2
    packed words      now         0 1 2      3 4        5
    states before     before      0 1 2      3 4        6
    states after      current     3 4 5      6 7        8
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from hs_env.models.hm.boundary import Boundary, decide, hard_sigmoid_slope


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """The layout of B packed sequences, and how boundaries are decided.

    Attributes:
        widths: Width d of each layer, lowest layer first.
        sizes: Number of sequences at each step. It never increases, and its sum is the number of words.
        kind: How boundaries are decided; see `Boundary`.
        slope: Slope of the hard sigmoid.
        noise: (words, layers - 1) uniform numbers in [0, 1) to draw boundaries, or None for the threshold 1/2.
        ends: (words,) bool, packed words after which every layer has a boundary, or None.
    """

    widths: tuple[int, ...]
    sizes: list[int]
    kind: Boundary
    slope: float
    noise: Tensor | None
    ends: Tensor | None

    def boundary(self, detector: Tensor, now: slice, layer: int) -> Tensor:
        """Compute the boundaries (rows,) of a layer at one step.

        Args:
            detector: (rows,) pre-activations of the layer's detector.
            now: Packed words of the step.
            layer: Number of the layer, from 0.
        """
        noise = None if self.noise is None else self.noise[now, layer]
        boundary = decide(detector, self.slope, self.kind, noise)
        return boundary if self.ends is None else boundary.masked_fill(self.ends[now], 1)

    def boundary_slope(self, detector: Tensor, now: slice, width: int) -> Tensor:
        """Return the derivative (rows,) of `boundary`: exact if soft, else the straight-through estimate.

        A boundary acts on all `width` units of a layer, so its gradient is a sum over them. The straight-through
        estimate is divided by sqrt(width), as Esser et al. (ICLR 2020) scale the gradient of a quantiser's step
        size. Otherwise, with layer normalisation, gradients grow by ten orders of magnitude over 100 steps.
        """
        slope = hard_sigmoid_slope(detector, self.slope)
        if self.kind != "soft":
            slope /= width**0.5
        return slope if self.ends is None else slope.masked_fill(self.ends[now], 0)

    def before(self, states: Tensor) -> Tensor:
        """Return the rows before each packed word, (words, ...), of states with one more block of rows."""
        if self.sizes[0] == self.sizes[-1]:
            return states[: -self.sizes[0]]
        return torch.cat([states[place.before] for place in self.places()])

    def places(self) -> list[Place]:
        """Return the rows of each step; the module's docstring has an example."""
        first, start, before = self.sizes[0], 0, 0
        places = []
        for size in self.sizes:
            now, current = slice(start, start + size), slice(first + start, first + start + size)
            places.append(Place(now, current, slice(before, before + size)))
            before, start = current.start, now.stop
        return places


class Place(NamedTuple):
    """The rows of one step.

    Attributes:
        now: Packed words of the step.
        current: Rows of the states after the step.
        before: Rows of the states of the same sequences before the step.
    """

    now: slice
    current: slice
    before: slice
