"""Open files of word vectors as streams of bytes, plain or gzip, and check them before anything is allocated."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from hs_env.errors import HsEnvError
from hs_env.textfile import file_error

BLOCK: Final = 1 << 20
"""Number of bytes that are read at a time."""
WIDEST: Final = 100_000
"""Largest width of word vectors. A larger one is a damaged header."""
LARGEST: Final = 1e15
"""Largest size of a value. A larger one is damaged data; sums of its squares are not finite in float32."""
_LONGEST_LINE: Final = 4 * BLOCK
_GZIP: Final = b"\x1f\x8b"
_GZIP_RATIO: Final = 1032
"""Deflate never makes data smaller than by this factor."""
_FOREIGN: Final[Mapping[bytes, str]] = {
    b"PK\x03\x04": "a zip archive. Unpack it, and give the file inside",
    b"BZh": "a bzip2 archive. Unpack it, and give the file inside",
    b"\xfd7zXZ": "an xz archive. Unpack it, and give the file inside",
    b"7z\xbc\xaf": "a 7z archive. Unpack it, and give the file inside",
    b"\x93NUMPY": "a single NumPy array. Save it as the array 'vectors' of NAME.npz, with the words in NAME.words.txt",
    b"\xba\x16\x4f\x2f": "a fastText model. Give its vectors in the text format, the .vec file",
    b"\x89HDF": "an HDF5 file. Save the vectors in the text format",
    b"\xff\xfe": "text in UTF-16. Convert it to UTF-8",
    b"\xfe\xff": "text in UTF-16. Convert it to UTF-8",
    b"\x80\x02": "a Python pickle, which is never opened. Save the vectors in the word2vec format",
    b"\x80\x03": "a Python pickle, which is never opened. Save the vectors in the word2vec format",
    b"\x80\x04": "a Python pickle, which is never opened. Save the vectors in the word2vec format",
    b"\x80\x05": "a Python pickle, which is never opened. Save the vectors in the word2vec format",
}


class Source(NamedTuple):
    """Pretrained vectors, perhaps of more words than wanted.

    Attributes:
        rows: Row in `vectors` of each wanted word that was found.
        vectors: (rows, e) array of any float dtype, which may be memory-mapped.
    """

    rows: Mapping[str, int]
    vectors: NDArray[np.floating]


@contextmanager
def open_stream(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading. A gzip file is decompressed, whatever its name is.

    Raises:
        HsEnvError: If the file cannot be read, also later, inside the `with` statement, or is broken gzip.
    """
    try:
        with path.open("rb") as plain:
            compressed = plain.read(2) == _GZIP
            plain.seek(0)
            if not compressed:
                yield plain
                return
            with gzip.open(plain) as stream:
                yield cast(IO[bytes], stream)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise HsEnvError(f"{path}: broken or truncated gzip ({error}); fetch the file again.") from error
    except OSError as error:
        raise HsEnvError(f"{path}: cannot be read ({error.strerror or error}).") from error


def most_bytes(path: Path) -> int:
    """Return the largest number of bytes that a file can hold, gzip unpacked."""
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        return size * _GZIP_RATIO if stream.read(2) == _GZIP else size


def refuse_foreign(path: Path, start: bytes) -> None:
    """Refuse a file of another kind by its first bytes.

    Raises:
        HsEnvError: If the file is an archive, a pickle, or vectors in a format that is not supported.
    """
    for magic, kind in _FOREIGN.items():
        if start.startswith(magic):
            raise HsEnvError(f"{path} is {kind}.")


def check_width(path: Path, width: int) -> None:
    """Check the width of word vectors.

    Raises:
        HsEnvError: If it is 0, or so large that it must be wrong.
    """
    if not 1 <= width <= WIDEST:
        raise HsEnvError(f"{path}: expected vectors of width 1 to {WIDEST:,}, got width {width:,}.")


def check_size(path: Path, count: int, width: int, least: int) -> None:
    """Compare what a header says with the size of the file, before anything is allocated.

    Args:
        path: File whose header it is.
        count: Number of words in the header.
        width: Width of vectors in the header.
        least: Smallest number of bytes of one word and its vector.

    Raises:
        HsEnvError: If the width cannot be, there are no words, or the file is too small for its header.
    """
    check_width(path, width)
    if not count:
        raise HsEnvError(f"{path}: the file holds no word vectors, says its header.")
    if count * least > most_bytes(path) + 1:  # the last line may lack its end
        raise HsEnvError(
            f"{path}: the header promises {count:,} words of width {width:,}, but the file is too small for them. "
            "It is cut short, or its header is damaged; fetch the file again."
        )


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    r"""Yield the lines of a text file and their numbers from 1, without line ends (`\n`, `\r\n`, `\r`) and BOM.

    Raises:
        HsEnvError: If the file cannot be read, is broken gzip, or holds a line of more than 4 MiB.
    """
    number, rest = 0, b""
    with open_stream(path) as stream:
        while block := stream.read(BLOCK):
            if not number and not rest:
                block = block.removeprefix(b"\xef\xbb\xbf")
            rest += block
            held = b""
            if b"\r" in rest:
                if rest.endswith(b"\r"):  # perhaps of \r\n
                    rest, held = rest[:-1], b"\r"
                rest = rest.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            *lines, rest = rest.split(b"\n")
            rest += held
            for line in lines:
                number += 1
                yield number, line
            if len(rest) > _LONGEST_LINE:
                raise file_error(path, number + 1, "more than 4 MiB in one line; expected one word per line")
    if rest := rest.removesuffix(b"\r"):
        yield number + 1, rest


def decode(path: Path, number: int, word: bytes) -> str:
    """Decode a word of a line.

    Raises:
        HsEnvError: If it is not UTF-8.
    """
    try:
        return word.decode()
    except UnicodeDecodeError as error:
        fault = f"not UTF-8 ({error.reason} at byte {error.start} of the line); convert the file to UTF-8"
        raise file_error(path, number, fault) from error


def check_finite(path: Path, place: str, word: str, vector: NDArray[np.float32]) -> None:
    """Check a vector that was read.

    Args:
        path: File that holds the vector.
        place: Place of the word in the file, such as `line 3`.
        word: Word of the vector.
        vector: (e,) float32.

    Raises:
        HsEnvError: If a value is NaN, infinite, or so large that the spread of the vectors is not finite.
    """
    if not (np.abs(vector) <= LARGEST).all():
        raise HsEnvError(
            f"{path}, {place}: the vector of {word!r} holds values that are not finite or beyond {LARGEST:g}."
        )
