"""Split the infos of a vector environment into the infos of its slots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hs_env.errors import HsEnvError


def unpack_infos(
    infos: Mapping[Any, Any], num_envs: int, members: NDArray[np.intp] | None = None
) -> list[dict[Any, Any]]:
    """Split the infos of a vector environment into one dict per slot, without the masks.

    NumPy selects and converts each array at once, which leaves Python one assignment per value. Numbers become Python
    numbers; rows of arrays are copies.

    Args:
        infos: Dict of arrays with one entry per slot, or of such dicts. The (N,) bool mask `_key` says which slots have
            `key`; without a mask, all slots have it.
        num_envs: Number of slots, N.
        members: (slots,) indices of the slots to return; None returns all.

    Returns:
        One dict per member.

    Raises:
        HsEnvError: If infos have another form.
    """
    if not isinstance(infos, Mapping):
        raise HsEnvError(
            f"The infos of a vector environment must be a dict of arrays, got a {type(infos).__name__}. Remove "
            "wrappers that convert infos, such as DictInfoToList."
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
                f"infos[{key!r}] must be an array with one entry for each of the {num_envs} slots, or a dict of such "
                f"arrays, got {type(values).__name__} {values!r}. Correct the environment or the wrapper that adds it."
            )
        for place, value in zip(places.tolist(), column, strict=True):
            rows[place][key] = value
    return rows
