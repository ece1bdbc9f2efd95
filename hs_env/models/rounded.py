"""Store the weights of a network in 8 bits each: matrices become integers with one scale per row.

A weight w of a row with the largest absolute value m becomes round(127 w / m), so it changes by at most m / 254.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor

from hs_env.errors import HsEnvError

_LARGEST: Final = 127


def to_int8(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Round all matrices of float weights to 8 bits; other tensors stay as they are.

    Returns:
        For each matrix (N, M), a dict of `int8`, (N, M) int8, and `scale`, (N,) float32.
    """
    return {name: _rounded(weight) if _is_matrix(weight) else weight for name, weight in weights.items()}


def to_float32(saved: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return weights as float32, from those that `to_int8` rounded and from float ones of any precision.

    Raises:
        HsEnvError: If values and scales do not fit.
    """
    return {name: _restored(name, weight) for name, weight in saved.items()}


def _is_matrix(weight: Tensor) -> bool:
    return weight.ndim == 2 and weight.is_floating_point()


def _rounded(matrix: Tensor) -> dict[str, Tensor]:
    scale = matrix.abs().amax(1).float() / _LARGEST
    values = matrix / scale.clamp_min(torch.finfo(torch.float32).tiny)[:, None]
    return {"int8": values.round().to(torch.int8), "scale": scale}


def _restored(name: str, weight: Any) -> Tensor:
    if isinstance(weight, Tensor):
        return weight.float() if weight.is_floating_point() else weight
    values, scale = weight["int8"], weight["scale"]
    if values.dtype != torch.int8 or scale.shape != values.shape[:1]:
        raise HsEnvError(f"the weights {name} have integers of another type or number than their scales")
    restored: Tensor = values.float() * scale.float()[:, None]
    return restored
