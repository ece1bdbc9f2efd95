"""The infos of a vector environment, taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hs_env.errors import HsEnvError


def unpack_infos(
    infos: Mapping[Any, Any], num_envs: int, members: NDArray[np.intp] | None = None
) -> list[dict[Any, Any]]:
    """The infos of each single environment: what it has, without the masks that say so.

    An array is looked at and converted at once, so that Python is left with one assignment a value. Numbers become
    those of Python; rows of arrays are copies.

    Args:
        infos: A dictionary of arrays with an entry for each environment, or of such dictionaries. A mask `_key` says
            which environments have `key`; without one, all have it.
        num_envs: Length of the arrays.
        members: The environments that are wanted; None is all.

    Returns:
        A dictionary for each member.

    Raises:
        HsEnvError: The infos are anything else.
    """
    if not isinstance(infos, Mapping):
        raise HsEnvError(
            f"Infos of a vector environment are a dictionary of arrays, got a {type(infos).__name__}. Leave out "
            "wrappers that change this, such as DictInfoToList."
        )
    members = np.arange(num_envs) if members is None else members
    rows: list[dict[Any, Any]] = [{} for _ in range(len(members))]
    masks = {f"_{key}" for key in infos}
    for key, values in infos.items():
        if key in masks:
            continue
        mask = infos.get(f"_{key}")
        places = np.arange(len(rows)) if mask is None else mask[members].nonzero()[0]
        present = members[places]
        if isinstance(values, Mapping):
            column: list[Any] = unpack_infos(values, num_envs, present)
        elif isinstance(values, np.ndarray) and values.shape[:1] == (num_envs,):
            chosen = values[present]
            column = chosen.tolist() if chosen.ndim == 1 else list(chosen)
        else:
            raise HsEnvError(
                f"info[{key!r}] must be an array with an entry for each of the {num_envs} environments, or a "
                f"dictionary of such arrays, got {type(values).__name__} {values!r}."
            )
        for place, value in zip(places.tolist(), column, strict=True):
            rows[place][key] = value
    return rows
