"""Select rows of a tensor by a slice where possible, and by an index otherwise.

With a single environment, or the same action in all rows, a mask selects all rows or none. A slice then replaces the
gather and the scatter.
"""

from __future__ import annotations

from torch import Tensor

Rows = slice | Tensor

_ALL = slice(None)


def rows_of(mask: Tensor) -> Rows | None:
    """Return the rows where `mask` (R,) bool is True: None for no row, a slice for all, else a (rows,) int64 index."""
    if len(mask) == 1:
        return _ALL if mask.item() else None
    rows = mask.nonzero().squeeze(1)
    if len(rows) == len(mask):
        return _ALL
    return rows if len(rows) else None


def take(tensor: Tensor, rows: Rows) -> Tensor:
    """Return the selected rows of `tensor` (R, ...), as a view for a slice and as a copy for an index."""
    return tensor[rows] if isinstance(rows, slice) else tensor.index_select(0, rows)


def put(tensor: Tensor, rows: Rows, values: Tensor) -> None:
    """Write `values` (rows, ...) to the selected rows of `tensor` (R, ...), in place."""
    if isinstance(rows, slice):
        tensor.copy_(values)
    else:
        tensor.index_copy_(0, rows, values)
