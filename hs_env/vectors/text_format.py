"""Read word vectors from text: GloVe, and word2vec or fastText with a header."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hs_env.errors import HsEnvError
from hs_env.textfile import file_error
from hs_env.vectors.streams import Source, check_finite, check_size, decode, numbered_lines, refuse_foreign

_NUMBER: Final = re.compile(rb"[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE)
_WHOLE: Final = re.compile(rb"\d{1,18}")
_INSPECTED: Final = 8
"""Number of lines that decide on the width."""

Lines = Sequence[tuple[int, bytes]]


def read_text(path: Path, wanted: set[str]) -> Source:
    """Read lines of a word and its numbers, after an optional header of two numbers: words and width.

    Blanks and tabs separate. Empty lines are skipped. A word may contain blanks. The first vector of a word counts.

    Raises:
        HsEnvError: If a line is not UTF-8 or has another width, the vector of a wanted word is not finite, or the file
            holds fewer words than its header says.
    """
    rows: dict[str, int] = {}
    vectors: list[NDArray[np.float32]] = []
    lines = ((number, line.rstrip()) for number, line in numbered_lines(path) if line and not line.isspace())
    first = list(islice(lines, _INSPECTED))
    count, width = _layout(path, first)
    read = 0
    for number, line in chain(first if count is None else first[1:], lines):
        read += 1
        raw, numbers = _split(path, number, line, width)
        word = decode(path, number, raw)
        if word in wanted and word not in rows:
            vectors.append(_parse(path, number, word, numbers))
            rows[word] = len(rows)
    if count is not None and read < count:
        raise HsEnvError(
            f"{path}: the header promises {count:,} words, but the file holds {read:,}. "
            "It is cut short; fetch the file again."
        )
    return Source(rows, np.array(vectors, dtype=np.float32).reshape(len(rows), width))


def _layout(path: Path, first: Lines) -> tuple[int | None, int]:
    """Return the number of words in the header, None without a header, and the width, from the first lines."""
    if not first:
        raise HsEnvError(f"{path}: the file holds no word vectors.")
    number, line = first[0]
    refuse_foreign(path, line)
    if any(b"\0" in line for _, line in first):
        raise HsEnvError(
            f"{path} is not text: expected lines of a word and numbers. The binary word2vec format ends in .bin."
        )
    numbers = [_count_numbers(line.split()) for _, line in first]
    after = _most_common(numbers[1:])
    fields = line.split()
    whole = len(fields) == 2 and all(map(_WHOLE.fullmatch, fields))
    if whole and (after != 1 or int(fields[1]) == 1):
        return _header(path, first, after)
    width = _most_common(numbers)
    if not width:
        commas = "; put blanks between the numbers, and write them with points" if b"," in line else ""
        raise file_error(path, number, f"0 numbers after the word, expected some{commas}")
    if numbers[0] < width:  # a line with too many numbers is refused when it is read
        header = "; a header would be two whole numbers, words and width" if len(fields) <= 3 else ""
        like = first[numbers.index(width)][0]
        raise file_error(
            path, number, f"{numbers[0]} numbers after the word, expected {width} as on line {like}{header}"
        )
    return None, width


def _header(path: Path, first: Lines, after: int | None) -> tuple[int, int]:
    """Return what the header says, compared with the file's size and the lines after the header."""
    number, line = first[0]
    count, width = map(int, line.split())
    check_size(path, count, width, 2 * width + 2)
    if after is not None and after != width:
        fault = f"the header says width {width}, but the lines after it have {after} numbers after the word"
        raise file_error(path, number, fault)
    return count, width


def _most_common(numbers: Sequence[int]) -> int | None:
    """Return the most frequent number, the largest of several; None if there are none."""
    counts = Counter(numbers)
    return max(counts, key=lambda number: (counts[number], number), default=None)


def _count_numbers(fields: Sequence[bytes]) -> int:
    """Count the numbers at the end of a line; its first field belongs to the word."""
    count = 0
    for field in reversed(fields[1:]):
        if not _NUMBER.fullmatch(field):
            break
        count += 1
    return count


def _split(path: Path, number: int, line: bytes, width: int) -> tuple[bytes, bytes]:
    """Split a line into its word and its numbers. Nothing is parsed: few words are wanted."""
    line = line.replace(b"\t", b" ")
    if b"  " in line:
        line = b" " * line.startswith(b" ") + b" ".join(line.split())
    surplus = line.count(b" ") - width
    if surplus > 0:
        return _split_phrase(path, number, line, width)
    if surplus < 0:
        raise file_error(path, number, f"{surplus + width} numbers after the word, expected {width}")
    word, _, numbers = line.partition(b" ")
    return word, numbers


def _split_phrase(path: Path, number: int, line: bytes, width: int) -> tuple[bytes, bytes]:
    """Split a line whose word contains blanks, such as `. . .` or `route 66`, unless it has too many numbers."""
    fields = line.split()
    found = _count_numbers(fields)
    word, numbers = fields[:-width], fields[-width:]
    surplus = fields[len(fields) - found : len(fields) - width]
    # A whole number belongs to the word if the others have a decimal point.
    if found < width or (
        surplus and not (all(map(_WHOLE.fullmatch, surplus)) and all(b"." in each for each in numbers))
    ):
        raise file_error(path, number, f"{found} numbers after the word, expected {width}")
    return b" ".join(word), b" ".join(numbers)


def _parse(path: Path, number: int, word: str, numbers: bytes) -> NDArray[np.float32]:
    fields = numbers.split()
    for field in fields:
        if not _NUMBER.fullmatch(field):
            fault = f"expected a word and {len(fields)} numbers, got {field.decode(errors='replace')[:40]!r} among them"
            raise file_error(path, number, fault)
    with np.errstate(over="ignore"):
        vector = np.array([float(field) for field in fields]).astype(np.float32)
    check_finite(path, f"line {number}", word, vector)
    return vector
