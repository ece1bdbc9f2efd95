"""What `info` says, as columns: one definition for the single environments and the vector environments.

Columns hold a value for each of some rows: a NumPy array, a list of other objects, or columns again under a name of
their own. Where a masked array is masked, the row has no such value.
"""

from __future__ import annotations

from typing import Any, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

Column: TypeAlias = Union[NDArray[Any], "list[Any]", "Columns"]
Columns: TypeAlias = dict[str, Column]


def info_of(columns: Columns, row: int) -> dict[str, Any]:
    """The info of one row, as a single environment gives it: Python numbers, fresh arrays."""
    info: dict[str, Any] = {}
    for key, column in columns.items():
        if isinstance(column, dict):
            info[key] = info_of(column, row)
        elif isinstance(column, list):
            info[key] = column[row]
        elif column.ndim > 1:
            info[key] = column[row].copy()
        elif (value := column[row]) is not np.ma.masked:
            info[key] = value.item()
    return info


def infos_of(columns: Columns, rows: NDArray[np.int64], num_envs: int) -> dict[str, Any]:
    """The infos of a vector environment, as `gymnasium.vector.VectorEnv` builds them one by one.

    Args:
        columns: A value for each of `rows`.
        rows: (R,) the environments that have them.
        num_envs: N.

    Returns:
        For each key an array of N entries, 0 or None where there is none, and under `_key` an (N,) bool mask.
    """
    infos: dict[str, Any] = {}
    for key, column in columns.items():
        present = rows
        if isinstance(column, np.ma.MaskedArray):
            there = ~np.ma.getmaskarray(column)
            present, column = rows[there], column.data[there]
        if not len(present):
            continue
        infos[key] = _scattered(column, present, num_envs)
        mask = np.zeros(num_envs, np.bool_)
        mask[present] = True
        infos[f"_{key}"] = mask
    return infos


def _scattered(column: Column, rows: NDArray[np.int64], num_envs: int) -> NDArray[Any] | dict[str, Any]:
    """(N, ...) with the column's values at `rows`."""
    if isinstance(column, dict):
        return infos_of(column, rows, num_envs)
    if isinstance(column, list):
        objects = np.full(num_envs, None, object)
        for row, value in zip(rows.tolist(), column, strict=True):
            objects[row] = value
        return objects
    if len(rows) == num_envs:
        return column.copy()
    array = np.zeros((num_envs, *column.shape[1:]), column.dtype)
    array[rows] = column
    return array
