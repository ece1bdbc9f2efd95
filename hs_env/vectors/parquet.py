"""Read the word list of a package: a parquet file of one column of strings, compressed with Snappy.

pyarrow reads such files too, but takes 170 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hs_env.errors import HsEnvError

_MAGIC: Final = b"PAR1"
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_PLAIN, _PLAIN_DICTIONARY, _RLE_DICTIONARY = 0, 2, 8
_BOOLEANS: Final = {1: True, 2: False}
_INTEGERS: Final = (4, 5, 6)
_BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 3, 7, 8, 9, 10, 12


def read_strings(path: Path) -> list[bytes]:
    """Read the only column of a parquet file as UTF-8.

    Raises:
        HsEnvError: If the file cannot be read, is broken, or is another kind of parquet file.
    """
    try:
        data = path.read_bytes()
        if data[:4] != _MAGIC or data[-4:] != _MAGIC:
            raise ValueError("no parquet file")
        footer = _Thrift(data, len(data) - 8 - int.from_bytes(data[-8:-4], "little")).struct()
        if len(footer[2]) != 2:  # the root and the column
            raise ValueError(f"{len(footer[2]) - 1} columns")
        words = _read_pages(data, footer[3], optional=footer[2][1].get(3) == 1)
    except OSError as error:
        raise HsEnvError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise HsEnvError(f"{path}: expected a parquet file with one column of strings ({error}).") from error
    return words


def _read_pages(data: bytes, count: int, optional: bool) -> list[bytes]:
    """Read the pages, which follow each other, until there are `count` words."""
    words: list[bytes] = []
    dictionary: list[bytes] = []
    at = len(_MAGIC)
    while len(words) < count:
        thrift = _Thrift(data, at)
        page = thrift.struct()
        at = thrift.at + page[3]
        if page[3] < 0:
            raise ValueError("a page of negative size")
        content = _decompress(data[thrift.at : at])
        if len(content) != page[2]:
            raise ValueError("a page has another size than its header says")
        if page[1] == _DICTIONARY_PAGE:
            dictionary = _plain(content, page[7][1])
        elif page[1] == _DATA_PAGE:
            values, encoding = page[5][1], page[5][2]
            if optional:  # words are never missing, so these levels are all 1
                content = content[4 + int.from_bytes(content[:4], "little") :]
            if encoding == _PLAIN:
                words += _plain(content, values)
            elif encoding in (_PLAIN_DICTIONARY, _RLE_DICTIONARY):
                words += [dictionary[index] for index in _indices(content, values).tolist()]
            else:
                raise ValueError(f"encoding {encoding}")
        else:
            raise ValueError(f"page type {page[1]}")
    return words


def _plain(content: bytes, count: int) -> list[bytes]:
    """Read strings that each follow their length, 4 bytes."""
    words, at = [], 0
    if 4 * count > len(content):
        raise ValueError("a page does not hold the strings that its header says")
    for _ in range(count):
        end = at + 4 + int.from_bytes(content[at : at + 4], "little")
        words.append(content[at + 4 : end])
        at = end
    if at != len(content):
        raise ValueError("a page does not hold the strings that its header says")
    return words


def _indices(content: bytes, count: int) -> NDArray[np.int64]:
    """Read indices of the dictionary, (count,) int64: runs of one value, and runs packed in `width` bits each."""
    width, at, found = content[0], 1, 0
    runs: list[NDArray[np.int64]] = []
    while found < count:
        header, at = _varint(content, at)
        if header & 1:
            size = (header >> 1) * width
            bits = np.unpackbits(np.frombuffer(content, np.uint8, size, at), bitorder="little").reshape(-1, width)
            runs.append(bits @ (1 << np.arange(width)))
        else:
            size = (width + 7) // 8
            runs.append(np.full(min(header >> 1, count), int.from_bytes(content[at : at + size], "little")))
        at += size
        found += len(runs[-1])
    return np.concatenate(runs)[:count]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of 7 bits per byte, and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _decompress(data: bytes) -> bytes:
    """Decompress a Snappy block: literal bytes, and copies of `length` bytes from `offset` bytes before."""
    size, at = _varint(data, 0)
    out = bytearray()
    end = len(data)
    while at < end:
        tag = data[at]
        at += 1
        kind, length = tag & 3, (tag >> 2) + 1
        if kind == 0:
            if length > 60:
                extra = length - 60
                length = int.from_bytes(data[at : at + extra], "little") + 1
                at += extra
            out += data[at : at + length]
            at += length
            continue
        if kind == 1:
            length, offset = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at]
            at += 1
        else:
            extra = 2 if kind == 2 else 4
            offset = int.from_bytes(data[at : at + extra], "little")
            at += extra
        start = len(out) - offset
        if not offset or start < 0:
            raise ValueError("broken Snappy data")
        copied = out[start : start + length]
        out += copied if offset >= length else (copied * (length // offset + 1))[:length]
    if len(out) != size:
        raise ValueError("broken Snappy data")
    return bytes(out)


class _Thrift:
    """Reader of the compact protocol of Thrift. It returns structs as field values by field number."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at
        self._values: Mapping[int, Callable[[], Any]] = {
            _BYTE: lambda: self._bytes(1)[0],
            **dict.fromkeys(_INTEGERS, self._integer),
            _DOUBLE: lambda: self._bytes(8),
            _BINARY: lambda: self._bytes(self._varint()),
            _LIST: self._list,
            _SET: self._list,
            _STRUCT: self.struct,
        }

    def struct(self) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while header := self._bytes(1)[0]:
            number = number + (header >> 4) if header >> 4 else self._integer()
            kind = header & 15
            fields[number] = _BOOLEANS[kind] if kind in _BOOLEANS else self._values[kind]()
        return fields

    def _list(self) -> list[Any]:
        header = self._bytes(1)[0]
        size = header >> 4
        size = self._varint() if size == 15 else size
        read = self._values.get(header & 15, self._values[_BYTE])  # booleans in lists take a byte
        return [read() for _ in range(size)]

    def _varint(self) -> int:
        value, self.at = _varint(self.data, self.at)
        return value

    def _integer(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)

    def _bytes(self, count: int) -> bytes:
        self.at += count
        if not count <= self.at <= len(self.data):
            raise ValueError("it ends early")
        return self.data[self.at - count : self.at]
