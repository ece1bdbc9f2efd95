"""Multiply states by boundaries and weights. On a CPU, leave out the rows whose boundary is 0."""

from __future__ import annotations

import torch
from torch import Tensor


def add_product(sums: Tensor, x: Tensor, boundary: Tensor, weight: Tensor) -> None:
    """Add `(boundary * x) @ weight` to `sums`.

    Args:
        sums: (rows, 4d + 1) summed inputs, updated in place.
        x: (rows, e) states.
        boundary: (rows, 1) boundaries from 0 to 1.
        weight: (e, 4d + 1).
    """
    if (rows := nonzero_rows(boundary)) is None:
        sums.addmm_(x * boundary, weight)
    else:
        sums.index_add_(0, rows, (x.index_select(0, rows) * boundary.index_select(0, rows)) @ weight)


def weight_gradient(x: Tensor, boundary: Tensor | None, sums: Tensor) -> Tensor:
    """Return the gradient of the weight in `add_product`.

    Args:
        x: (rows, e) states.
        boundary: (rows, 1) boundaries, or None if nothing multiplies the states.
        sums: (rows, 4d + 1) gradient of the summed inputs.

    Returns:
        (e, 4d + 1) gradient.
    """
    if boundary is not None:
        if (rows := nonzero_rows(boundary)) is None:
            x = x * boundary
        else:
            x, sums = x.index_select(0, rows) * boundary.index_select(0, rows), sums.index_select(0, rows)
    gates = sums.shape[1] // 4 * 4
    # One product for the gates and the detector's column would be a third slower.
    return torch.cat([x.t() @ sums[:, :gates], x.t() @ sums[:, gates:]], 1)


def nonzero_rows(values: Tensor) -> Tensor | None:
    """Return the rows of (rows, 1) values that are not 0, int64; None to compute all rows.

    It is None if no value is 0, and always on a GPU, where the CPU would have to wait for the number of rows.
    """
    if values.device.type != "cpu":
        return None
    rows = values.squeeze(1).nonzero().squeeze(1)
    return None if len(rows) == len(values) else rows
