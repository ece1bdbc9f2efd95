"""Read word vectors from the binary format of word2vec."""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from hs_env.errors import HsEnvError
from hs_env.vectors.streams import BLOCK, Source, check_finite, check_size, open_stream, refuse_foreign
from hs_env.vectors.text_format import read_text

_HEADER: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t]*(\d{1,18})[ \t]+(\d{1,18})[ \t]*\r?\n")
_LONGEST_HEADER: Final = 100
_LONGEST_WORD: Final = 1 << 16


class _Buffer:
    """Bytes of a stream that were read and not yet used."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.data, self.start = stream, b"", 0

    def fill(self, size: int) -> bool:
        """Read on until `size` bytes are there. Return False if the stream ends before."""
        while len(self.data) - self.start < size:
            block = self.stream.read(max(BLOCK, size))
            self.data, self.start = self.data[self.start :] + block, 0
            if not block:
                return False
        return True

    def find_blank(self) -> int:
        """Return the position of the next blank, -1 if there is none where one must be."""
        at = self.data.find(b" ", self.start)
        if at < 0:
            self.fill(_LONGEST_WORD)
            at = self.data.find(b" ", self.start)
        return at if at - self.start <= _LONGEST_WORD else -1


def read_word2vec(path: Path, wanted: set[str]) -> Source:
    """Read a header (number of words, width), then each word, a blank, and its vector as little-endian float32.

    A file that in fact holds the text format is read as such. The first vector of a word counts. Words that are not
    UTF-8 are skipped, because word2vec cuts long words inside a character.

    Raises:
        HsEnvError: If the header is damaged, the file ends early or late, most words beyond ASCII are not UTF-8, or the
            vector of a wanted word is not finite.
    """
    with open_stream(path) as stream:
        buffer = _Buffer(stream)
        buffer.fill(BLOCK)
        refuse_foreign(path, buffer.data[:8])
        header = _HEADER.match(buffer.data[:_LONGEST_HEADER])
        if header is None:
            start = buffer.data[:40].split(b"\n")[0].decode(errors="replace")
            raise _broken(path, f"expected a header of two whole numbers, words and width, got {start!r}")
        count, width = int(header[1]), int(header[2])
        check_size(path, count, width, 4 * width + 1)
        buffer.start = header.end()
        if not _is_text(buffer.data[buffer.start :], width):
            return _read_entries(path, buffer, wanted, count, width)
    return read_text(path, wanted)


def _is_text(data: bytes, width: int) -> bool:
    fields = data.split(b"\n", 1)[0].split()
    try:
        return len(fields) == width + 1 and all(np.isfinite(float(field)) for field in fields[1:])
    except ValueError:
        return False


def _read_entries(path: Path, buffer: _Buffer, wanted: set[str], count: int, width: int) -> Source:
    rows: dict[str, int] = {}
    vectors: list[NDArray[np.float32]] = []
    size, readable, unreadable = 4 * width, 0, 0
    for number in range(1, count + 1):
        blank = buffer.find_blank()
        length = blank - buffer.start + 1
        if blank < 0 or not buffer.fill(length + size):
            raise _broken(path, f"word {number:,} of {count:,} is incomplete; fetch the file again")
        raw = buffer.data[buffer.start : buffer.start + length - 1].lstrip(b"\n")
        buffer.start += length + size
        try:
            word = raw.decode()
        except UnicodeDecodeError:
            unreadable += 1
            continue
        readable += not raw.isascii()
        if word in wanted and word not in rows:
            vector = np.frombuffer(buffer.data, "<f4", width, buffer.start - size).astype(np.float32)
            check_finite(path, f"word {number:,}", word, vector)
            vectors.append(vector)
            rows[word] = len(rows)
    rest = buffer.data[buffer.start :]
    while not rest.strip() and (rest := buffer.stream.read(BLOCK)):
        pass
    if rest:
        raise _broken(path, f"there is more data after the {count:,} words of the header; is the header right?")
    if unreadable > readable:
        raise _broken(path, f"{unreadable:,} words are not UTF-8; convert the file to UTF-8")
    return Source(rows, np.array(vectors, dtype=np.float32).reshape(len(rows), width))


def _broken(path: Path, fault: str) -> HsEnvError:
    return HsEnvError(f"{path}: broken binary word2vec file ({fault}).")
