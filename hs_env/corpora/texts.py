"""Read texts without labels: one per line, or in a column of a table. Blank texts keep their place."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Final

from hs_env.errors import shown
from hs_env.textfile import file_error, read_lines, text_lines

_SEPARATORS: Final = ",;\t|"


def read_texts(path: Path, column: str = "text") -> Iterator[str]:
    """Yield the texts of a file, plain or gzip, in order.

    JSON lines, CSV and TSV have them in a column, see `hs_env.corpora.files`. Any other file has one text per line. A
    blank line is an empty text.

    Raises:
        HsEnvError: If the file cannot be read, has no such column, or is broken.
    """
    name = Path(path.name.lower().removesuffix(".gz"))
    reader = _TABLES.get(name.suffix)
    lines = text_lines(read_lines(path), path)
    return (line.rstrip("\r\n") for line in lines) if reader is None else reader(path, lines, column)


def _json_texts(path: Path, lines: Iterator[str], column: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line) if line.strip() else {column: ""}
        except (ValueError, RecursionError) as error:
            raise file_error(path, number, f"broken JSON ({error}); expected one object per line") from error
        if not isinstance(record, dict):
            raise file_error(path, number, f"expected one object per line, got {shown(record, 40)}")
        text = _value(record, path, number, column)
        if text is not None and not isinstance(text, str):
            raise file_error(path, number, f"the value of {column!r} is {shown(text, 40)}; expected a string")
        yield text or ""


def _csv_texts(path: Path, lines: Iterator[str], column: str) -> Iterator[str]:
    first = next(lines, "")
    wanted = (sign for sign in _SEPARATORS if column in [name.strip(' "\r\n') for name in first.split(sign)])
    records = csv.reader(chain([first], lines), delimiter=next(wanted, ","), skipinitialspace=True, strict=True)
    header: list[str] = []
    try:
        for record in records:
            yield from _table_text(path, records.line_num, header, record, column)
    except csv.Error as error:
        raise file_error(path, records.line_num, f"broken table ({error})") from error


def _tsv_texts(path: Path, lines: Iterator[str], column: str) -> Iterator[str]:
    header: list[str] = []
    for number, line in enumerate(lines, 1):
        record = line.rstrip("\r\n").split("\t") if line.strip() else []
        yield from _table_text(path, number, header, record, column)


def _table_text(path: Path, line: int, header: list[str], record: list[str], column: str) -> Iterator[str]:
    """Take the first record as the `header`, and yield the text of any other; a blank line is an empty text."""
    if not header:
        header += [name.strip() for name in record]
        if header:
            _value(dict.fromkeys(header), path, line, column)
    elif record and len(record) != len(header):
        fault = f"{len(record)} fields, expected {len(header)} ({', '.join(header)})"
        raise file_error(path, line, f"{fault}; put CSV text with separators in quotes, and remove tabs from TSV text")
    else:
        yield dict(zip(header, record, strict=True))[column] if record else ""


def _value(record: Mapping[str, object], path: Path, line: int, column: str) -> object:
    if column not in record:
        present = ", ".join(map(repr, record)) or "none"
        raise file_error(
            path, line, f"there is no column {column!r}; the columns are {present}; choose one with --text-column"
        )
    return record[column]


_TABLES: Final[Mapping[str, Callable[[Path, Iterator[str], str], Iterator[str]]]] = {
    ".jsonl": _json_texts,
    ".json": _json_texts,
    ".csv": _csv_texts,
    ".tsv": _tsv_texts,
}
