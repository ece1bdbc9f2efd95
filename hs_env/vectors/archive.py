"""Read word vectors from NumPy archives, row by row."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hs_env.errors import HsEnvError
from hs_env.vectors.streams import (
    BLOCK,
    Source,
    check_finite,
    check_width,
    decode,
    most_bytes,
    numbered_lines,
    open_stream,
)

_MEMBER: Final = "vectors.npy"
_ZIP_RATIO: Final = 1032
"""Deflate never makes data smaller than by this factor."""
_BROKEN: Final = (
    OSError,
    ValueError,  # also of a header that is not UTF-8
    LookupError,
    EOFError,
    RuntimeError,  # encrypted; NotImplementedError for other versions and compressions
    ArithmeticError,
    TypeError,
    SyntaxError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
)


def read_npz(path: Path, wanted: set[str]) -> Source:
    """Read `NAME.npz` with the array `vectors`, which has one row per line of `NAME.words.txt`.

    The first vector of a word counts. Empty lines at the end of the word list are ignored.

    Raises:
        HsEnvError: If the archive is broken or holds Python objects, its array has another shape or no numbers, or the
            vector of a wanted word is not finite.
    """
    name = path.name[: path.name.lower().rindex(".npz")]
    listed = path.with_name(f"{name}.words.txt")
    rows: dict[str, int] = {}
    count = filled = 0
    for count, line in numbered_lines(listed):
        word = decode(listed, count, line)
        filled = count if word else filled
        if word in wanted:
            rows.setdefault(word, count - 1)
    if not filled:
        raise HsEnvError(f"{listed}: the file holds no words.")
    with open_stream(path) as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                vectors = _read_vectors(path, archive, rows, {count, filled}, listed.name)
        except HsEnvError:
            raise
        except _BROKEN as error:
            fault = " ".join(str(error).split())[:200] or type(error).__name__
            raise HsEnvError(f"{path}: expected a numpy archive with the array 'vectors' ({fault}).") from error
    for word, vector in zip(rows, vectors, strict=True):
        check_finite(path, f"row {rows[word] + 1:,}", word, vector)
    return Source({word: row for row, word in enumerate(rows)}, vectors)


def _read_vectors(
    path: Path, archive: zipfile.ZipFile, rows: Mapping[str, int], counts: set[int], listed: str
) -> NDArray[np.float32]:
    """Read the rows of wanted words, (rows, e) float32."""
    if _MEMBER not in archive.namelist():
        names = ", ".join(sorted(name.removesuffix(".npy") for name in archive.namelist()[:10])) or "none"
        raise KeyError(f"its arrays: {names}")
    member = archive.getinfo(_MEMBER)
    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"the array has the format version {version}")
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read_header(stream)
        if dtype.kind not in "fiu":
            kind = "Python objects, which are never opened" if dtype.hasobject else f"the dtype {dtype}"
            raise HsEnvError(f"{path}: expected vectors of floats, got {kind}.")
        if len(shape) != 2 or shape[0] not in counts:
            raise HsEnvError(f"{path}: expected {min(counts)} rows, one per word of {listed}, got the shape {shape}.")
        check_width(path, shape[1])
        # Compared before anything is allocated: headers may promise anything.
        size = shape[0] * shape[1] * dtype.itemsize
        if stream.tell() + size != member.file_size or member.file_size > _ZIP_RATIO * most_bytes(path):
            raise ValueError(f"its size does not fit the shape {shape} and the dtype {dtype}")
        wanted = np.array(list(rows.values()), np.int64)
        with np.errstate(over="ignore"):
            if not fortran:
                return _pick_rows(stream, shape, dtype, wanted)
            return _pick_rows(stream, shape[::-1], dtype, None, wanted)


def _pick_rows(
    stream: IO[bytes],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    rows: NDArray[np.int64] | None,
    columns: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """Read an array in C order block by block and keep some rows, or some columns of all rows and transpose them."""
    kept = []
    for start, block in _blocks(stream, shape, dtype):
        if rows is None:
            kept.append(block[:, columns].astype(np.float32))
        else:
            inside = rows[(rows >= start) & (rows < start + len(block))]
            kept.append(block[inside - start].astype(np.float32))
    array = np.concatenate(kept)
    return array if rows is not None else np.ascontiguousarray(array.T)


def _blocks(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield the index of the first row of each block, and the block, (rows, columns)."""
    size = shape[1] * dtype.itemsize
    step = max(1, BLOCK // size)
    for start in range(0, shape[0], step):
        count = min(step, shape[0] - start)
        data = stream.read(count * size)
        if len(data) != count * size:
            raise EOFError("the array ends early")
        yield start, np.frombuffer(data, dtype).reshape(count, shape[1])
    if stream.read(1):  # the end compares the checksum
        raise ValueError("there is more data after the array")
