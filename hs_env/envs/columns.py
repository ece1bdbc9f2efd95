"""Convert columns of values to infos, so that single and vector environments share one definition of their infos.

A column contains one value per row: it is a NumPy array, a list of other objects, or a dict of columns. Where a masked
array is masked, the row has no value.
"""

from __future__ import annotations

from typing import Any, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

Column: TypeAlias = Union[NDArray[Any], "list[Any]", "Columns"]
Columns: TypeAlias = dict[str, Column]


def info_of(columns: Columns, row: int) -> dict[str, Any]:
    """Return the info of one row as a single environment returns it: Python numbers and copies of arrays."""
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
    """Return infos in the format of `gymnasium.vector.VectorEnv`.

    Args:
        columns: Columns with one value for each of `rows`.
        rows: (rows,) int64, indices of the slots that have values.
        num_envs: Number of slots, N.

    Returns:
        An (N, ...) array for each key, 0 or None where a slot has no value. The (N,) bool mask `_key` says which slots
        have one.
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
    """Return an (N, ...) array that contains the column's values at `rows`."""
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
