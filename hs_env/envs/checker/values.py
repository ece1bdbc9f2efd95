"""Compare, search and overwrite nested values, as environments return them: dicts, tuples and arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def difference(expected: Any, found: Any, path: str, tolerance: float = 0.0, batched: bool = True) -> str | None:
    """Describe the first difference between two nested values.

    Keys, lengths, shapes and dtypes must be equal. Scalars are compared by value. Objects whose class does not define
    equality are compared by type.

    Args:
        expected: Expected value.
        found: Value to compare with it.
        path: Name of the value in the description.
        tolerance: Relative and absolute tolerance of floats.
        batched: Whether the first axis of arrays counts slots.

    Returns:
        A description such as "infos['token'][slot 1] is 3, expected 5"; None if there is no difference.
    """
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        if expected.keys() != found.keys():
            return f"{path} has the keys {_names(found)}, expected {_names(expected)}"
        return _first((expected[key], found[key], f"{path}[{key!r}]", tolerance, batched) for key in expected)
    if isinstance(expected, np.ndarray) and isinstance(found, np.ndarray):
        return _array_difference(expected, found, path, tolerance, batched)
    if isinstance(expected, (tuple, list)) and isinstance(found, (tuple, list)):
        if len(expected) != len(found):
            return f"{path} has length {len(found)}, expected {len(expected)}"
        pairs = enumerate(zip(expected, found, strict=True))
        return _first((one, other, f"{path}[{index}]", tolerance, batched) for index, (one, other) in pairs)
    return None if _same(expected, found, tolerance) else f"{path} is {found!r}, expected {expected!r}"


def _first(comparisons: Iterable[tuple[Any, Any, str, float, bool]]) -> str | None:
    return next(filter(None, (difference(*comparison) for comparison in comparisons)), None)


def _names(mapping: Mapping[Any, Any]) -> str:
    return ", ".join(sorted(map(str, mapping))) or "none"


def _array_difference(
    expected: NDArray[Any], found: NDArray[Any], path: str, tolerance: float, batched: bool
) -> str | None:
    if (expected.shape, expected.dtype) != (found.shape, found.dtype):
        return f"{path} has {kind(found)}, expected {kind(expected)}"
    if expected.dtype == object:
        indices = np.ndindex(expected.shape)
        return _first((expected[at], found[at], _place(path, at, batched), tolerance, False) for at in indices)
    same = found == expected
    if not np.all(same) and expected.dtype.kind in "fc":
        same = np.isclose(found, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    if np.all(same):
        return None
    at = tuple(np.argwhere(~same)[0].tolist())
    return f"{_place(path, at, batched)} is {found[at]}, expected {expected[at]}"


def _place(path: str, at: tuple[int, ...], batched: bool) -> str:
    """Return the name of an element of an array."""
    index = ", ".join(map(str, at))
    return f"{path}[{'slot ' if batched else ''}{index}]" if at else path


def kind(array: NDArray[Any]) -> str:
    """Describe shape and dtype of an array, for messages."""
    return f"shape {array.shape} and dtype {array.dtype}"


def _same(expected: Any, found: Any, tolerance: float) -> bool:
    if isinstance(expected, (float, np.floating)) and isinstance(found, (float, np.floating)):
        return bool(np.isclose(found, expected, rtol=tolerance, atol=tolerance, equal_nan=True))
    what: Any = type(expected)
    if what.__eq__ is object.__eq__:
        return isinstance(found, what)
    return bool(np.all(expected == found))


def has_nan(value: Any) -> bool:
    """Return whether a nested value contains NaN."""
    if isinstance(value, Mapping):
        return any(map(has_nan, value.values()))
    if isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.dtype == object and value.ndim):
        return any(map(has_nan, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fc" and bool(np.isnan(value).any())
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def overwrite(value: Any) -> None:
    """Write other contents into every writable array of a nested value."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        for part in value:
            overwrite(part)
    elif isinstance(value, np.ndarray) and value.flags.writeable:
        if value.dtype == object:
            for part in value.flat:
                overwrite(part)
            value.fill(None)
        elif value.dtype.kind == "b":
            np.logical_not(value, out=value)
        elif value.dtype.kind in "iufc":
            value.fill(77)
