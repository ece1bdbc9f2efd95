"""Read labelled sentences from JSON lines, CSV and TSV files, plain or gzip.

* `.jsonl`, `.json`: one object per line, `{"text": ..., "label": ...}`. The optional list `"boundaries"` has one number
  per white-space separated word of the text: 1 for the last word of a phrase, 0 for other words.
* `.csv`: a header with the columns `text` and `label`. Text in double quotes may contain commas and line breaks.
* `.tsv`: the same with tabs, one row per line. Quotes have no special meaning.

A label is an integer from 0 or a name. Other keys and columns are ignored, and empty lines are skipped. A fault in a
row raises an `HsEnvError` that names the file and the line.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hs_env.corpora.tokenisation import tokenise
from hs_env.errors import HsEnvError
from hs_env.textfile import file_error, read_lines
from hs_env.types import END, INSIDE, Sentence

_INTEGER: Final = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text and its place in a file.

    Attributes:
        text: Text that is not blank.
        label: Class index or class name.
        boundaries: Gold actions of the white-space separated words, not validated, or None.
        path: File of the row, or `hf:NAME/SPLIT` for a data set of the Hugging Face hub.
        line: Line on which the row begins, or its number in the data set; from 1.
    """

    text: str
    label: int | str
    boundaries: Sequence[object] | None
    path: Path
    line: int


def _label(value: object, path: Path, line: int) -> int | str:
    """Check that a label is an index or a name."""
    if value is None or value == "":
        raise file_error(path, line, "the label is missing; expected an integer from 0 or a name")
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise file_error(path, line, f"the label is {json.dumps(value)}; expected an integer from 0 or a name")
    if isinstance(value, int) and value < 0:
        raise file_error(path, line, f"the label is {value}; labels count from 0")
    return value


def _row(record: Mapping[str, Any], path: Path, line: int) -> Row:
    for column in ("text", "label"):
        if column not in record:
            present = ", ".join(map(repr, record)) or "none"
            raise file_error(path, line, f"there is no column {column!r}; the columns are {present}")
    text, boundaries = record["text"], record.get("boundaries")
    if not isinstance(text, str):
        raise file_error(path, line, f"the text is {json.dumps(text)[:40]}; expected a string")
    if not text.strip():
        raise file_error(path, line, "the text is empty; remove the row or give it a text")
    if boundaries is not None and not isinstance(boundaries, list):
        raise file_error(path, line, f"the boundaries are {json.dumps(boundaries)[:40]}; expected a list of 0 and 1")
    return Row(text, _label(record["label"], path, line), boundaries, path, line)


def _json_rows(path: Path) -> Iterator[Row]:
    for line, text in enumerate(read_lines(path), 1):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except ValueError as error:
            raise file_error(path, line, f"broken JSON ({error}); expected one object per line") from error
        if not isinstance(record, dict):
            raise file_error(path, line, 'expected one JSON object per line, {"text": ..., "label": ...}')
        yield _row(record, path, line)


def _records(path: Path, **dialect: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the line on which it begins, since quoted text may span several lines."""
    reader = csv.reader(read_lines(path), strict=True, **dialect)
    end = 0
    try:
        for fields in reader:
            yield end + 1, fields
            end = reader.line_num
    except csv.Error as error:
        raise file_error(path, end + 1, f"broken table ({error}); look for an unclosed quote") from error


def _table_rows(path: Path, **dialect: Any) -> Iterator[Row]:
    columns: list[str] = []
    for line, fields in _records(path, **dialect):
        if not any(fields):
            continue
        if not columns:
            columns = [field.strip() for field in fields]
            continue
        if len(fields) != len(columns):
            fault = f"{len(fields)} fields, expected {len(columns)} ({', '.join(columns)})"
            raise file_error(path, line, f"{fault}; put CSV text with commas in quotes, and remove tabs from TSV text")
        record: dict[str, Any] = dict(zip(columns, fields, strict=True))
        if "label" in record:
            record["label"] = _table_label(record["label"].strip(), path, line)
        yield _row({column: value for column, value in record.items() if column != "boundaries"}, path, line)


def _table_label(label: str, path: Path, line: int) -> int | str:
    if _INTEGER.fullmatch(label):
        return int(label)
    try:
        float(label)
    except ValueError:
        return label
    raise file_error(path, line, f"the label is {label}; expected an integer from 0 or a name")


_READERS: Final[Mapping[str, Callable[[Path], Iterator[Row]]]] = {
    ".jsonl": _json_rows,
    ".json": _json_rows,
    ".csv": _table_rows,
    ".tsv": lambda path: _table_rows(path, delimiter="\t", quoting=csv.QUOTE_NONE),
}

DATA_SUFFIXES: Final = tuple(f"{suffix}{packed}" for suffix in _READERS for packed in ("", ".gz"))
"""Suffixes of the files that `read_rows` can read."""


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a file whose name ends in one of `DATA_SUFFIXES`; there is at least one.

    Raises:
        HsEnvError: If the suffix is unknown, or the file cannot be read, is broken or holds no rows.
    """
    reader = _READERS.get(path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix)
    if reader is None:
        raise HsEnvError(
            f"{path}: unknown type of file; a file of sentences ends in one of {', '.join(DATA_SUFFIXES)}."
        )
    rows = list(reader(path))
    if not rows:
        raise HsEnvError(f"{path}: the file holds no sentences.")
    return rows


def label_names(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the classes of a train split: the sorted names, or "0", "1", ... up to the highest index.

    Raises:
        HsEnvError: If indices and names are mixed, or an index below the highest never occurs.
    """
    kind = type(rows[0].label)
    for row in rows:
        if type(row.label) is not kind:
            fault = f"the label is {row.label!r}, but the one of line {rows[0].line} is {rows[0].label!r}"
            raise file_error(row.path, row.line, f"{fault}; use either integers from 0 or names")
    names = {row.label for row in rows}
    if kind is str:
        return tuple(sorted(map(str, names)))
    top = max(rows, key=lambda row: int(row.label))
    if missing := [label for label in range(min(int(top.label), len(rows))) if label not in names]:
        fault = f"the label is {top.label}, but label {missing[0]} never occurs"
        raise file_error(top.path, top.line, f"{fault}; labels count from 0 without gaps")
    return tuple(map(str, range(int(top.label) + 1)))


def to_sentences(rows: Sequence[Row], labels: Sequence[str], tokenisation: str = "glove") -> tuple[Sentence, ...]:
    """Tokenise rows and turn their labels into class indices, the positions in `labels`.

    If tokenisation divides the last word of a phrase, the phrase ends at the last part of that word.

    Raises:
        HsEnvError: If a label is unknown or boundaries do not fit the words (with file and line), or there is no such
            tokenisation.
    """
    index = {name: at for at, name in enumerate(labels)}
    sentences = []
    for row in rows:
        label = row.label if isinstance(row.label, int) else index.get(row.label, -1)
        if not 0 <= label < len(labels):
            fault = f"the label is {row.label!r}, expected one of {', '.join(labels)}"
            raise file_error(row.path, row.line, f"{fault}, or 0 to {len(labels) - 1}")
        if row.boundaries is None:
            sentences.append(Sentence(tokenise(row.text, tokenisation), label))
        else:
            sentences.append(_with_boundaries(row, row.boundaries, label, tokenisation))
    return tuple(sentences)


def _with_boundaries(row: Row, given: Sequence[object], label: int, tokenisation: str) -> Sentence:
    words = tuple(row.text.split())
    if len(given) != len(words):
        raise file_error(row.path, row.line, f"it has {len(words)} words, but {len(given)} boundaries")
    if any(type(each) is not int or each not in (INSIDE, END) for each in given) or given[-1] != END:
        fault = f"the boundaries are {list(given)}, expected 1 for the last word of each phrase and 0 for the others"
        raise file_error(row.path, row.line, f"{fault}, so 1 for the last word")
    pieces = [tokenise(word, tokenisation) for word in words]
    boundaries: list[int] = []
    for piece, boundary in zip(pieces, given, strict=True):
        boundaries += [INSIDE] * (len(piece) - 1) + [END if boundary == END else INSIDE]
    return Sentence(tuple(word for piece in pieces for word in piece), label, tuple(boundaries))
