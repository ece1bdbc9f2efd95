"""The boundary detector of HM-LSTM: a neuron whose output is 0 or 1, and the slope by which it learns."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from hs_env.errors import HsEnvError

Boundary = Literal["step", "sample", "soft"]
"""How a detector decides: by the threshold 1/2, by drawing in training mode, or not at all: its value stays."""


def hard_sigmoid(x: Tensor, slope: float) -> Tensor:
    """max(0, min(1, (slope * x + 1) / 2)): Chung, Ahn, Bengio 2017, equation 8."""
    return x.mul(slope / 2).add_(0.5).clamp_(0, 1)


def hard_sigmoid_slope(x: Tensor, slope: float) -> Tensor:
    """Its derivative: slope / 2 inside (-1 / slope, 1 / slope), else 0."""
    return (x.abs() < 1 / slope).to(x.dtype).mul_(slope / 2)


def decide(x: Tensor, slope: float, kind: Boundary, noise: Tensor | None) -> Tensor:
    """Boundaries of pre-activations `x`; `noise` is uniform in [0, 1), and None where nothing is drawn."""
    value = hard_sigmoid(x, slope)
    if kind == "soft":
        return value
    return (value > (0.5 if noise is None else noise)).to(x.dtype)


def check_boundary(kind: str) -> None:
    """Refuse unknown kinds.

    Raises:
        HsEnvError: Naming the known ones.
    """
    if kind not in get_args(Boundary):
        raise HsEnvError(f"A boundary is decided by one of {', '.join(get_args(Boundary))}; got {kind!r}.")


def annealed_slope(epoch: float, per_epoch: float = 0.04, greatest: float = 5.0) -> float:
    """min(5, 1 + 0.04 * epoch): the slope that Chung, Ahn, Bengio 2017 (section 4.1) train Penn Treebank with."""
    return min(greatest, 1 + per_epoch * epoch)


def uniform(rows: int, columns: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """(rows, columns) noise for `decide`."""
    return torch.rand(rows, columns, generator=generator, device=like.device, dtype=like.dtype)


def operation_shares(z: Tensor, counted: Tensor | None = None) -> dict[str, float]:
    """How often detectors fire, and what layers do.

    Args:
        z: (T, B, N - 1) boundaries of sequences that are read from an empty state.
        counted: (T, B) bool, the steps that count; all by default.

    Returns:
        `boundaries_1`, ... (share of steps with a boundary, for each level), and `update_1`, `copy_1`, `flush_1`, ...
        (shares of the operations, for each layer).
    """
    own = torch.cat([torch.zeros_like(z[:1]), z[:-1]])  # of the step before
    own = torch.cat([own, torch.zeros_like(own[..., :1])], -1)  # the top layer has none
    below = torch.cat([torch.ones_like(z[..., :1]), z], -1)
    taken = {"boundaries": z, "update": (1 - own) * below, "copy": (1 - own) * (1 - below), "flush": own}
    weight = z.new_ones(z.shape[:2]) if counted is None else counted.to(z.dtype)
    weight = weight / weight.sum().clamp(min=1)
    return {
        f"{name}_{level}": share
        for name, happens in taken.items()
        for level, share in enumerate((happens * weight[..., None]).sum((0, 1)).tolist(), 1)
    }
