"""Read texts without labels: one per line, or in a column of a table. Blank texts keep their place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from hs_env.corpora.delimited import Record, csv_rows, tsv_rows
from hs_env.corpora.parquet import parquet_rows
from hs_env.errors import HsEnvError, shown
from hs_env.textfile import file_error, read_lines, text_lines

_OPTION: Final = "--text-column"


def read_texts(path: Path, column: str | None = None, encoding: str = "utf-8") -> Iterator[str]:
    """Yield the texts of a file, plain or gzip, in order.

    JSON lines, CSV, TSV and Parquet have them in a column, by default `text`; see `hs_env.corpora.files`. In `.all`
    they follow a label and a blank. Any other file has one text per line. A blank line is an empty text.

    Args:
        path: File to read.
        column: Column of the texts in a table.
        encoding: Encoding of a text file, one that extends ASCII.

    Raises:
        HsEnvError: If the file cannot be read, has no such column, or is broken.
    """
    named, column = column, column or "text"
    name = Path(path.name.lower().removesuffix(".gz"))
    if name.suffix == ".parquet":
        return _texts(path, parquet_rows(path, {_OPTION: column}), column)
    reader = _TABLES.get(name.suffix)
    lines = text_lines(read_lines(path, encoding, ", or name its encoding with --encoding"), path)
    if reader is not None:
        return reader(path, lines, column)
    if named is not None:
        raise HsEnvError(
            f"{path} is read as one text per line, so it has no column {column!r}. Leave {_OPTION} out, or give a file "
            f"that ends in {', '.join((*_TABLES, '.parquet'))}."
        )
    texts = (line.rstrip("\r\n") for line in lines)
    return ("".join(text.split(maxsplit=1)[1:]).strip() for text in texts) if name.suffix == ".all" else texts


def _json_texts(path: Path, lines: Iterator[str], column: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line) if line.strip() else {column: ""}
        except (ValueError, RecursionError) as error:
            raise file_error(path, number, f"broken JSON ({error}); expected one object per line") from error
        if not isinstance(record, dict):
            raise file_error(path, number, f"expected one object per line, got {shown(record, 40)}")
        yield _checked(_value(record, path, number, column), path, number, column)


def _csv_texts(path: Path, lines: Iterator[str], column: str) -> Iterator[str]:
    return _texts(path, csv_rows(path, lines, {_OPTION: column}), column)


def _tsv_texts(path: Path, lines: Iterator[str], column: str) -> Iterator[str]:
    return _texts(path, tsv_rows(path, lines, {_OPTION: column}), column)


def _texts(path: Path, rows: Iterator[Record], column: str) -> Iterator[str]:
    """Yield the texts of rows; a blank row, and a missing value, is an empty text."""
    for line, row in rows:
        if isinstance(row, HsEnvError):
            raise row
        yield _checked(row.get(column), path, line, column)


def _checked(text: object, path: Path, line: int, column: str) -> str:
    if text is not None and not isinstance(text, str):
        raise file_error(path, line, f"the value of {column!r} is {shown(text, 40)}; expected a string")
    return text or ""


def _value(record: Mapping[str, object], path: Path, line: int, column: str) -> object:
    if column not in record:
        present = ", ".join(map(repr, record)) or "none"
        raise file_error(
            path, line, f"there is no column {column!r}; the columns are {present}; choose one with {_OPTION}"
        )
    return record[column]


_TABLES: Final[Mapping[str, Callable[[Path, Iterator[str], str], Iterator[str]]]] = {
    ".jsonl": _json_texts,
    ".json": _json_texts,
    ".csv": _csv_texts,
    ".tsv": _tsv_texts,
}
