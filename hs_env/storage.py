"""Write files atomically, and save nested values as safetensors with JSON in the header. Loading executes no code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hs_env.errors import HsEnvError

if TYPE_CHECKING:
    from torch import Tensor

_KIND, _STATE, _TENSOR, _ITEMS = "kind", "state", "__tensor__", "__items__"


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file in one step. Readers find all of the old content or all of the new, even after a crash.

    Missing parent folders are created.

    Raises:
        OSError: If the file cannot be written; it then keeps its old content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")  # which no other process uses
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def save_state(path: Path, kind: str, state: Mapping[str, Any]) -> None:
    """Save nested dicts and lists of tensors and JSON values as one safetensors file, atomically.

    Keys are strings or numbers. Tensors are stored in the body of the file, all other values as JSON in its header.
    `load_state` checks `kind`, such as "classifier".
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    header = json.dumps(_separate_tensors(state, "", tensors), ensure_ascii=False)
    write_atomically(path, save(tensors, {_KIND: kind, _STATE: header}))


def load_state(path: Path, kind: str) -> dict[str, Any]:
    """Load a file of this kind that `save_state` wrote; tensors are on the CPU, and tuples have become lists.

    Raises:
        HsEnvError: If the file is missing, damaged, or of another kind.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not path.is_file():
        raise HsEnvError(f"There is no {kind} at {path}.")
    try:
        content = path.read_bytes()  # read once, so that both parts agree even if the file is replaced meanwhile
        tensors = load(content)
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__", {})
        if metadata.get(_KIND) != kind:
            raise HsEnvError(f"{path} holds {metadata.get(_KIND, 'something else')!r}, expected a {kind}.")
        state = _insert_tensors(json.loads(metadata[_STATE]), tensors)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, HsEnvError):
            raise
        raise HsEnvError(f"{path} is not a readable {kind}: {error}. Was it copied completely?") from error
    if not isinstance(state, dict):
        raise HsEnvError(f"{path} is not a readable {kind}: it holds a {type(state).__name__}.")
    return state


def _separate_tensors(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """Turn a nested value into JSON values, and move its tensors to `tensors`, under keys that end in their path."""
    import torch

    if isinstance(value, torch.Tensor):
        key = f"{len(tensors)}{path}"  # the number makes it unique, since keys may contain dots
        tensors[key] = value.detach().contiguous().clone()
        return {_TENSOR: key}
    if isinstance(value, Mapping):
        return {_ITEMS: [[key, _separate_tensors(entry, f"{path}.{key}", tensors)] for key, entry in value.items()]}
    if isinstance(value, list | tuple):
        return [_separate_tensors(entry, f"{path}.{number}", tensors) for number, entry in enumerate(value)]
    return value


def _insert_tensors(skeleton: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Undo `_separate_tensors`, except that tuples become lists."""
    if isinstance(skeleton, dict):
        if _TENSOR in skeleton:
            return tensors[skeleton[_TENSOR]]
        return {key: _insert_tensors(entry, tensors) for key, entry in skeleton[_ITEMS]}
    if isinstance(skeleton, list):
        return [_insert_tensors(entry, tensors) for entry in skeleton]
    return skeleton
