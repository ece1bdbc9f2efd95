"""Divide CSV and TSV files, and lines with a label in front, into records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final

from hs_env.corpora.spec import RowFormat
from hs_env.errors import HsEnvError
from hs_env.textfile import file_error, read_lines, text_lines

Record = tuple[int, "dict[str, object] | HsEnvError"]
"""Line on which a record begins, and its values by column, or its fault."""

Wanted = Mapping[str, str]
"""Columns that a table must have, by the options that choose them."""

_QUOTED: Final = re.compile(r'(?:[^"]+|"")*')
_QUOTATION: Final = re.compile(r'"(?:[^"]|"")*"?')
_SEPARATORS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_SHOWN: Final = 40  # characters of a wrong value in an error
_INSPECTED: Final = 20  # lines that decide on the separator


def row_lines(path: Path, row_format: RowFormat) -> Iterator[str]:
    """Yield the lines of a file of rows.

    Raises:
        HsEnvError: If it cannot be read, is broken, or has another encoding than the format says.
    """
    advice = f", or name its encoding, as in {path.name}:encoding=latin-1"
    return text_lines(read_lines(path, row_format.encoding, advice), path)


def labelled_records(path: Path, row_format: RowFormat) -> Iterator[Record]:
    """Yield the records of a file whose lines have a label, a blank and a text."""
    for number, line in enumerate(row_lines(path, row_format), 1):
        if line.strip():
            label, *text = line.split(maxsplit=1)
            yield number, {"label": label, "text": "".join(text).strip()}


class _OpenQuoteError(ValueError):
    """Raised for a quote that is not closed. It takes in the rest of the file, so no row after it can be read."""


def separator_of(lines: Sequence[str], wanted: Wanted) -> str:
    """Detect the separator of a CSV file from its first lines; it is a comma if there is none.

    It is the one that separates the wanted columns in the first line. For columns chosen by number it is a sign that
    gives every line the same number of fields, at least as many as the highest number. Of several such signs it is the
    one with the fewest blanks after it, then the most frequent one. If there is none, it is the most frequent sign of
    the first line. Text in quotes does not count.
    """
    names, lines = set(wanted.values()), [line for line in lines if line.strip()]
    for sign in _SEPARATORS:
        if lines and names <= {field.strip(' "\r\n') for field in lines[0].split(sign)}:
            return sign
    bare = [_QUOTATION.sub("", line) for line in lines] or [""]
    if all(name.isdecimal() for name in names):
        least = max(1, *(int(name) - 1 for name in names))
        counts = {sign: {line.count(sign) for line in bare} for sign in _SEPARATORS}
        if regular := [sign for sign, found in counts.items() if len(found) == 1 and min(found) >= least]:
            blanks = {sign: sum(line.count(f"{sign} ") for line in bare) for sign in regular}
            return min(regular, key=lambda sign: (blanks[sign], -bare[0].count(sign)))
    return max(_SEPARATORS, key=bare[0].count)


def _beginning(lines: Iterable[str]) -> list[str]:
    """Return the first lines, until enough of them are not blank."""
    held: list[str] = []
    found = 0
    for line in lines:
        held.append(line)
        found += bool(line.strip())
        if found == _INSPECTED:
            break
    return held


def separator_name(path: Path, row_format: RowFormat) -> str:
    """Return the separator of a CSV file in words, such as "semicolons"."""
    return _SEPARATORS[separator_of(_beginning(row_lines(path, row_format)), wanted_by(row_format))]


def wanted_by(row_format: RowFormat) -> Wanted:
    """Return the columns that a file of labelled rows must have."""
    return {"--text-column": row_format.text, "--label-column": row_format.label}


@cache
def _around_quotes(separator: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return patterns of an opening quote with the blanks before it, and of what may follow a closing one."""
    blanks = "[ ]*" if separator == "\t" else r"[ \t]*"
    return re.compile(rf'{blanks}"'), re.compile(rf"{blanks}({re.escape(separator)}|[\r\n]|\Z)")


def _fields(first: str, more: Iterator[str], separator: str) -> list[str]:
    """Return the fields of a record that begins with the line `first`, and take from `more` what quotes continue.

    Raises:
        ValueError: If a quote is not closed, or something follows a closing quote.
    """
    if '"' not in first:
        return first.rstrip("\r\n").split(separator)
    opened, closed = _around_quotes(separator)
    fields: list[str] = []
    line, at = first, 0
    while True:
        if opening := opened.match(line, at):
            at, pieces = opening.end(), []
            while True:
                quoted = _QUOTED.match(line, at)
                assert quoted is not None  # it matches an empty text, too
                pieces.append(quoted.group())
                if quoted.end() < len(line):
                    break
                line, at = next(more, ""), 0
                if not line:
                    raise _OpenQuoteError("a quote is opened, but not closed; look for an unclosed quote")
            field = "".join(pieces).replace('""', '"')
            end = closed.match(line, quoted.end() + 1)
            if end is None:
                after = line[quoted.end() + 1 :].rstrip()[:_SHOWN]
                raise ValueError(
                    f"expected a separator after a closing quote, got {after!r}; write quotes in text twice"
                )
            stop = end.group(1)
            at = end.end()
        else:
            field, stop, _ = line[at:].partition(separator)
            at += len(field) + len(stop)
        fields.append(field if opening else field.rstrip("\r\n"))
        if stop != separator:
            return fields


def _csv_lines(path: Path, lines: Iterator[str], wanted: Wanted) -> Iterator[tuple[int, list[str] | HsEnvError]]:
    """Yield the fields of each record, or its fault, with the line on which it begins: quoted text may span several."""
    number, held = 0, _beginning(lines)
    separator = separator_of(held, wanted)

    def counted() -> Iterator[str]:
        nonlocal number
        for number, line in enumerate(chain(held, lines), 1):  # noqa: B007 - the records below need it
            yield line

    more = counted()
    for line in more:
        start = number
        if not line.strip():
            yield start, []
            continue
        try:
            yield start, _fields(line, more, separator)
        except HsEnvError:
            raise
        except ValueError as error:
            fault = file_error(path, start, f"broken table ({error})")
            if isinstance(error, _OpenQuoteError):
                raise fault from error
            yield start, fault


def csv_rows(path: Path, lines: Iterator[str], wanted: Wanted) -> Iterator[Record]:
    """Yield the records below the header of a CSV file; one without anything but blanks is empty.

    Raises:
        HsEnvError: If a wanted column is missing or occurs twice, or a quote is not closed.
    """
    return _rows(path, _csv_lines(path, lines, wanted), wanted)


def tsv_rows(path: Path, lines: Iterator[str], wanted: Wanted) -> Iterator[Record]:
    """Yield the records of a TSV file, as `csv_rows` does."""
    divided = ((number, line.rstrip("\r\n").split("\t")) for number, line in enumerate(lines, 1))
    return _rows(path, divided, wanted)


def _rows(path: Path, lines: Iterator[tuple[int, list[str] | HsEnvError]], wanted: Wanted) -> Iterator[Record]:
    columns: list[str] = []
    for line, fields in lines:
        if isinstance(fields, HsEnvError):
            if not columns:
                raise fields
            yield line, fields
            continue
        if not any(field.strip() for field in fields):
            if columns:
                yield line, {}
            continue
        if not columns:
            columns = [field.strip() for field in fields]
            if not _is_numbered(wanted, columns):
                check_columns(path, line, columns, wanted)
                continue
            columns = [str(number) for number in range(1, len(fields) + 1)]
            check_columns(path, line, columns, wanted)
        while len(fields) > len(columns) and not fields[-1].strip():
            fields.pop()
        if len(fields) == len(columns):
            yield line, dict(zip(columns, fields, strict=True))
        else:
            fault = f"{len(fields)} fields, expected {len(columns)} ({', '.join(columns)})"
            advice = "put CSV text with separators in quotes, and remove tabs from TSV text"
            yield line, file_error(path, line, f"{fault}; {advice}")


def _is_numbered(wanted: Wanted, first: list[str]) -> bool:
    """Return whether the wanted columns are chosen by number, so that the first line is no header.

    Numbers may also be values of the first line, such as a label. They are names if all of the line are numbers.
    """
    names = set(wanted.values())
    if not all(name.isdecimal() for name in names):
        return False
    return not (names <= set(first) and all(field.isdecimal() for field in first if field))


def check_columns(path: Path, line: int, columns: list[str], wanted: Wanted) -> None:
    """Check that the wanted columns are there once.

    Raises:
        HsEnvError: If one is missing or occurs twice; the message names all columns.
    """
    for name in wanted.values():
        if name not in columns:
            present = ", ".join(repr(column[:_SHOWN]) for column in columns[:30]) or "none"
            advice = f"choose with {' and '.join(wanted)}; without a header, columns are numbered from 1"
            raise file_error(path, line, f"there is no column {name!r}; the columns are {present}; {advice}")
        if columns.count(name) > 1:
            raise file_error(path, line, f"the column {name!r} occurs twice; remove or rename one")
