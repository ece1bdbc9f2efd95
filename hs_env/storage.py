"""Write files atomically, and save nested values as safetensors with JSON in the header. Loading executes no code.

Equal values give equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import uuid4

from hs_env.errors import HsEnvError

if TYPE_CHECKING:
    from torch import Tensor, dtype

StrPath: TypeAlias = "str | os.PathLike[str]"
"""A path as a text or as any object of the `os.PathLike` protocol."""

HISTORY: Final = "history.json"
"""Name of the file in the folder of a run that says how it was trained."""

_KIND, _STATE, _TENSOR, _ITEMS = "kind", "state", "__tensor__", "__items__"
_DIGEST: Final = "sha256"

_BEGINNINGS: Final = {
    b"PK\x03\x04": "a zip archive, such as a model of Stable-Baselines3 or PyTorch",
    b"\x1f\x8b": "a gzip file",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\x93NUMPY": "a NumPy array",
    b"SQLite format 3": "an SQLite database",
    b"version https://git-lfs": "a pointer of Git LFS, which `git lfs pull` replaces",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"{": "a JSON file",
    b"[": "a JSON file",
}
"""What a file is, by its first bytes."""


def what_is(content: bytes) -> str | None:
    """Tell by its first bytes what a file is that is no safetensors file, such as "a zip archive"; None if unknown."""
    if not content:
        return "an empty file"
    found = next((kind for beginning, kind in _BEGINNINGS.items() if content.startswith(beginning)), None)
    if found is None and b"\0" not in content[:1000]:
        with suppress(UnicodeDecodeError):
            content[:1000].rpartition(b"\n")[0].decode()
            found = "a text file" if b"\n" in content[:1000] else None
    return found


def exists(path: StrPath) -> bool:
    """Return whether there is a file or folder; False for names that none can have, such as too long ones."""
    try:
        return Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False


def check_folder(path: Path) -> None:
    """Check that a path can be a folder to write to: it is one, or nothing is there.

    Raises:
        HsEnvError: If it is a file.
    """
    if path.exists() and not path.is_dir():
        raise HsEnvError(f"{path} is a file. Choose another folder (--out).")


@contextmanager
def naming(path: StrPath) -> Iterator[None]:
    """Name a file in the errors of the system while it is written; those of an open file have no name."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def write_atomically(path: StrPath, content: bytes | Iterable[bytes | memoryview], replace: bool = True) -> None:
    """Write a file in one step. Readers find all of the old content or all of the new, even after a crash.

    Missing parent folders are created. If the file is a link, the link is replaced, and its target is left alone.

    Args:
        path: File to write.
        content: New content of the file, whole or in parts.
        replace: Whether an existing file is replaced.

    Raises:
        OSError: If the file cannot be written; it then keeps its old content. The error names the file.
        FileExistsError: If the file exists and is not to be replaced.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")  # which no other process uses
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                file.writelines([content] if isinstance(content, bytes) else content)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                os.replace(temporary, path)
            else:
                os.link(temporary, path)  # fails if another process has written the file meanwhile
                temporary.unlink()
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def write_json(path: StrPath, value: Any) -> None:
    """Write a value as indented JSON, atomically. Half a surrogate pair is written as an escape."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_atomically(path, text.encode(errors="backslashreplace"))


def read_json(path: StrPath) -> Any:
    """Return the JSON value in a UTF-8 file.

    Raises:
        HsEnvError: If it is damaged or cannot be read.
    """
    content = b""
    try:
        content = Path(path).read_bytes()
        return json.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise HsEnvError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        found = what_is(content)
        is_other = found is not None and found not in ("a JSON file", "a text file")
        raise HsEnvError(
            f"{path} is not readable JSON: {f'it is {found}' if is_other else error}. Was it copied whole?"
        ) from error


def save_state(path: StrPath, kind: str, state: Mapping[str, Any]) -> None:
    """Save nested dicts and lists of tensors and JSON values as one safetensors file, atomically.

    Keys are strings or numbers. Tensors are stored in the body of the file, all other values as JSON in its header.
    `load_state` checks `kind`, such as "classifier".
    """
    tensors: dict[str, Tensor] = {}
    header = json.dumps(_separate_tensors(state, "", tensors), ensure_ascii=False)
    header = header.encode(errors="backslashreplace").decode()  # half a surrogate pair becomes an escape
    write_atomically(path, _sealed(tensors, {_KIND: kind, _STATE: header}))


def _sealed(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    """Yield a safetensors file in parts, with its header in one fixed order, and a digest of header and tensors in it.

    One tensor at a time is copied, since a checkpoint may have gigabytes.
    """
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name in names:
        tensor = tensors[name]
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _type_name(tensor.dtype), "shape": list(tensor.shape), "data_offsets": [begin, end]}

    def bodies() -> Iterator[memoryview]:
        return (_bytes_of(tensors[name]) for name in names)

    header["__metadata__"][_DIGEST] = _digest(header, bodies())
    written = _header_bytes(header)
    written += b" " * (-len(written) % 8)
    yield len(written).to_bytes(8, "little") + written
    yield from bodies()


@cache
def _type_name(kind: dtype) -> str:
    """Return the name of a type in the safetensors format."""
    from safetensors.torch import save
    from torch import empty

    name: str = _divided(save({"x": empty(0, dtype=kind, device="cpu")}))[0]["x"]["dtype"]
    return name


def _bytes_of(tensor: Tensor) -> memoryview:
    from torch import uint8

    from hs_env.compute import to_array

    return to_array(tensor.cpu().contiguous().view(-1).view(uint8)).data


def _divided(content: bytes) -> tuple[dict[str, Any], memoryview]:
    """Return the header of a safetensors file and the bytes of its tensors."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), memoryview(content)[end:]


def _header_bytes(header: dict[str, Any]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _digest(header: dict[str, Any], bodies: Iterable[memoryview]) -> str:
    """Return the digest of header and tensors, without the digest that the header may contain."""
    metadata = {name: value for name, value in header["__metadata__"].items() if name != _DIGEST}
    digest = hashlib.sha256(_header_bytes(header | {"__metadata__": metadata}))
    for body in bodies:
        digest.update(body)
    return digest.hexdigest()


def load_state(path: StrPath, kind: str) -> dict[str, Any]:
    """Load a file of this kind that `save_state` wrote; tensors are on the CPU, and tuples have become lists.

    Raises:
        HsEnvError: If the file is missing, damaged, or of another kind.
    """
    path = Path(path)
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not path.is_file():
        raise HsEnvError(f"There is no {kind} at {path}.{_held_instead(path.parent, kind)}")
    content = b""
    try:
        content = path.read_bytes()  # read once, so that both parts agree even if the file is replaced meanwhile
        tensors = load(content)
        header, body = _divided(content)
        metadata = header.get("__metadata__", {})
        if (found := metadata.get(_KIND, "something else")) != kind:
            raise HsEnvError(f"{path} holds {found!r}, expected {kind!r}. Was it put in the place of another file?")
        if _DIGEST in metadata and metadata[_DIGEST] != _digest(header, [body]):
            raise ValueError("it was damaged after it had been saved")
        state = _insert_tensors(json.loads(metadata[_STATE]), tensors)
    except OSError as error:
        raise HsEnvError(f"{path} is not a readable {kind}: {error.strerror or error}.") from error
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        if isinstance(error, HsEnvError):
            raise
        if isinstance(error, SafetensorError) and (other := what_is(content)):
            raise HsEnvError(f"{path} is {other}, not a readable {kind}. Give a file that hs-env saved.") from error
        raise HsEnvError(f"{path} is not a readable {kind}: {error}. Was it copied completely?") from error
    if not isinstance(state, dict):
        raise HsEnvError(f"{path} is not a readable {kind}: it holds a {type(state).__name__}.")
    return state


def _held_instead(folder: Path, kind: str) -> str:
    """Return what a folder holds instead of this kind of result, with the command for it, as a sentence or nothing."""
    if kind != "language model" and (folder / "language_model.safetensors").is_file():
        return (
            f" The run in {folder} is one of a language model: use `hs-env lm evaluate` or `hs-env lm sample`, or give "
            "a run of `hs-env train`."
        )
    if kind == "language model" and (folder / "classifier.safetensors").is_file():
        return (
            f" The run in {folder} is one of a classifier: use `hs-env evaluate` or `hs-env segment`, or give a run of "
            "`hs-env lm train`."
        )
    if kind == "agent" and (folder / "classifier.safetensors").is_file():
        return f" The model of the run in {folder} takes no actions, so the run has no agent."
    if (folder / "config.json").is_file():
        command = "lm train" if kind == "language model" else "train"
        return f" The run in {folder} is not finished. Resume it with: hs-env {command} --resume {folder}"
    return ""


def _separate_tensors(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """Turn a nested value into JSON values, and move its tensors to `tensors`, under keys that end in their path."""
    import torch

    if isinstance(value, torch.Tensor):
        key = f"{len(tensors)}{path}"  # the number makes it unique, since keys may contain dots
        tensors[key] = value.detach()
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
