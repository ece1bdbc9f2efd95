"""The boundary detector of HM-LSTM: a unit with output 0 or 1, and the hard sigmoid that gives its gradient."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from hs_env.errors import HsEnvError
from hs_env.types import OPERATIONS

Boundary = Literal["step", "sample", "soft"]
"""How a detector turns its hard sigmoid into a boundary.

"step" gives 1 where the hard sigmoid is above 1/2, else 0. "sample" draws 1 with the hard sigmoid as its probability in
training mode, and equals "step" in eval mode. "soft" gives the hard sigmoid itself.
"""


def hard_sigmoid(x: Tensor, slope: float) -> Tensor:
    """Return max(0, min(1, (slope * x + 1) / 2)) (Chung, Ahn, Bengio 2017, equation 8)."""
    return x.mul(slope / 2).add_(0.5).clamp_(0, 1)


def hard_sigmoid_slope(x: Tensor, slope: float) -> Tensor:
    """Return the derivative of `hard_sigmoid`: slope / 2 for -1 / slope < x < 1 / slope, else 0."""
    return (x.abs() < 1 / slope).to(x.dtype).mul_(slope / 2)


def decide(x: Tensor, slope: float, kind: Boundary, noise: Tensor | None) -> Tensor:
    """Compute boundaries from pre-activations.

    Args:
        x: Pre-activations of the detectors, of any shape.
        slope: Slope of the hard sigmoid.
        kind: How boundaries are decided.
        noise: Uniform numbers in [0, 1) of the shape of `x` to draw boundaries, or None for the threshold 1/2.

    Returns:
        Boundaries of the shape and dtype of `x`: 0 or 1, or values in [0, 1] for "soft".
    """
    value = hard_sigmoid(x, slope)
    if kind == "soft":
        return value
    return (value > (0.5 if noise is None else noise)).to(x.dtype)


def check_boundary(kind: str) -> None:
    """Check that `kind` is a `Boundary`.

    Raises:
        HsEnvError: If it is not; the message lists the known kinds.
    """
    if kind not in get_args(Boundary):
        raise HsEnvError(f"The kind of boundary must be one of {', '.join(get_args(Boundary))}; got {kind!r}.")


def annealed_slope(epoch: float, per_epoch: float = 0.04, greatest: float = 5.0) -> float:
    """Return the slope at an epoch: `min(greatest, 1 + per_epoch * epoch)`.

    The defaults are those for Penn Treebank in Chung, Ahn, Bengio 2017, section 4.1.

    Args:
        epoch: Number of epochs trained so far, possibly fractional.
        per_epoch: Increase of the slope per epoch.
        greatest: Upper bound of the slope.
    """
    return min(greatest, 1 + per_epoch * epoch)


def operations(z: Tensor) -> Tensor:
    """Return what each layer does at each step, (T, B, layers) int64 positions in `OPERATIONS`.

    Args:
        z: (T, B, layers - 1) boundaries of sequences that start from the zero state; soft ones count above 1/2.
    """
    own, below = _own_and_below(z)
    update, copy, flush = range(len(OPERATIONS))
    return torch.where(own > 0.5, flush, torch.where(below > 0.5, update, copy))


def ended_levels(z: Tensor) -> Tensor:
    """Return how many levels of segments end at each step, (T, B) int64, from `z` as in `operations`.

    A segment of a level ends where the detectors of that level and of all lower levels have a boundary.
    """
    return (z > 0.5).long().cumprod(-1).sum(-1)


def operation_shares(z: Tensor, counted: Tensor | None = None) -> dict[str, float]:
    """Compute how often each layer has a boundary, and how often it takes each operation.

    Args:
        z: (T, B, layers - 1) boundaries of sequences that start from the zero state.
        counted: (T, B) bool, True for the steps to count; None counts all.

    Returns:
        Shares of the counted steps, from 0 to 1. `boundaries_1`, ... are the steps with a boundary of each layer but
        the top one. `update_1`, `copy_1`, `flush_1`, ... are the operations of each layer.
    """
    own, below = _own_and_below(z)
    taken = {"boundaries": z, "update": (1 - own) * below, "copy": (1 - own) * (1 - below), "flush": own}
    weight = z.new_ones(z.shape[:2]) if counted is None else counted.to(z.dtype)
    weight = weight / weight.sum().clamp(min=1)
    return {
        f"{name}_{level}": share
        for name, happens in taken.items()
        for level, share in enumerate((happens * weight[..., None]).sum((0, 1)).tolist(), 1)
    }


def _own_and_below(z: Tensor) -> tuple[Tensor, Tensor]:
    """Return two (T, B, layers) tensors: each layer's boundary one step earlier, and that of the layer below now.

    The top layer has no detector, and the input of the lowest layer changes at every step.
    """
    own = torch.cat([torch.zeros_like(z[:1]), z[:-1]])
    own = torch.cat([own, torch.zeros_like(own[..., :1])], -1)
    return own, torch.cat([torch.ones_like(z[..., :1]), z], -1)
