"""Some rows of a tensor: an index where it must be, a view where it can be.

A batch of one, and a batch whose rows all do the same, is the common case of a single environment. Its rows are a
slice, which is read and written without moving anything.
"""

from __future__ import annotations

from torch import Tensor

Rows = slice | Tensor

_ALL = slice(None)


def rows_of(mask: Tensor) -> Rows | None:
    """The rows where `mask` (R,) bool is True: None if there are none, a slice if they are all, else (n,) int64."""
    if len(mask) == 1:
        return _ALL if mask.item() else None
    rows = mask.nonzero().squeeze(1)
    if len(rows) == len(mask):
        return _ALL
    return rows if len(rows) else None


def take(tensor: Tensor, rows: Rows) -> Tensor:
    """(n, ...) those rows of (R, ...); not always a copy."""
    return tensor[rows] if isinstance(rows, slice) else tensor.index_select(0, rows)


def put(tensor: Tensor, rows: Rows, values: Tensor) -> None:
    """Write (n, ...) values to those rows of (R, ...), in place."""
    if isinstance(rows, slice):
        tensor.copy_(values)
    else:
        tensor.index_copy_(0, rows, values)
