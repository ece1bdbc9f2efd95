"""Files that are never half written and never execute anything: safetensors whose header carries JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hs_env.errors import HsEnvError

if TYPE_CHECKING:
    from torch import Tensor

_KIND, _STATE, _TENSOR, _ITEMS = "kind", "state", "__tensor__", "__items__"


def write_atomically(path: Path, content: bytes) -> None:
    """Write `path` so that a reader, or a run after a crash, finds the old content or the new, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")  # one name, so that what a kill leaves is overwritten
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def save_state(path: Path, kind: str, state: Mapping[str, Any]) -> None:
    """Save nested dicts and lists of tensors and JSON values as one safetensors file, atomically.

    Args:
        path: The file.
        kind: What it holds ("classifier", "checkpoint"), checked when it is loaded.
        state: The values, under keys that are text or numbers. Tensors go to the safetensors body, all else to JSON in
            its header.
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    header = json.dumps(_split(state, "", tensors), ensure_ascii=False)
    write_atomically(path, save(tensors, {_KIND: kind, _STATE: header}))


def load_state(path: Path, kind: str) -> dict[str, Any]:
    """Load what `save_state` saved.

    Raises:
        HsEnvError: If the file is missing, damaged, or of another kind.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not path.is_file():
        raise HsEnvError(f"There is no {kind} at {path}.")
    try:
        content = path.read_bytes()  # once, so that a file that is replaced meanwhile is still read whole
        tensors = load(content)
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__", {})
        if metadata.get(_KIND) != kind:
            raise HsEnvError(f"{path} holds {metadata.get(_KIND, 'something else')!r}, expected a {kind}.")
        state = _join(json.loads(metadata[_STATE]), tensors)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, HsEnvError):
            raise
        raise HsEnvError(f"{path} is not a readable {kind}: {error}. Was it copied whole?") from error
    if not isinstance(state, dict):
        raise HsEnvError(f"{path} is not a readable {kind}: it holds a {type(state).__name__}.")
    return state


def _split(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """The JSON skeleton of a nested value; its tensors go to `tensors` by their path."""
    import torch

    if isinstance(value, torch.Tensor):
        key = f"{len(tensors)}{path}"  # the number keeps keys apart that contain dots
        tensors[key] = value.detach().contiguous().clone()
        return {_TENSOR: key}
    if isinstance(value, Mapping):
        return {_ITEMS: [[key, _split(entry, f"{path}.{key}", tensors)] for key, entry in value.items()]}
    if isinstance(value, list | tuple):
        return [_split(entry, f"{path}.{number}", tensors) for number, entry in enumerate(value)]
    return value


def _join(skeleton: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The inverse of `_split`, but for tuples, which come back as lists."""
    if isinstance(skeleton, dict):
        if _TENSOR in skeleton:
            return tensors[skeleton[_TENSOR]]
        return {key: _join(entry, tensors) for key, entry in skeleton[_ITEMS]}
    if isinstance(skeleton, list):
        return [_join(entry, tensors) for entry in skeleton]
    return skeleton
