"""Read labelled sentences from JSON lines, CSV and TSV files, plain or gzip.

* `.jsonl`, `.json`: one object per line, `{"text": ..., "label": ...}`. The optional list `"boundaries"` has one number
  per white-space separated word of the text: 1 for the last word of a phrase, 0 for other words.
* `.csv`: a header with the columns `text` and `label`, separated by commas (or all by semicolons or tabs). Text in
  double quotes may contain separators and line breaks; `""` in it means one quote. Blanks around quotes are ignored.
* `.tsv`: the same with tabs, one row per line. Quotes have no special meaning.

A label is an integer from 0 or a name. Other keys and columns are kept for rewards, and empty lines are skipped. Lines
end as on any system, and the ending of a file's name may be in capitals. A fault in a row raises an `HsEnvError` that
names the file and the line.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from hs_env.corpora.tokenisation import tokenise, tokenise_words
from hs_env.errors import HsEnvError
from hs_env.textfile import file_error, has_surrogates, read_lines, text_lines
from hs_env.types import END, INSIDE, Sentence

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_OPENING: Final = re.compile(r'[ \t]*"')
_QUOTED: Final = re.compile(r'(?:[^"]+|"")*')
_SEPARATORS: Final = (",", ";", "\t")
_SHOWN: Final = 40  # characters of a wrong value in an error


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text and its place in a file.

    Attributes:
        text: Text that is not blank.
        label: Class index or class name.
        boundaries: Gold actions of the white-space separated words, not validated, or None.
        path: File of the row, or `hf:NAME/SPLIT` for a data set of the Hugging Face hub.
        line: Line on which the row begins, or its number in the data set; from 1.
        columns: Values of all other columns by name, for rewards.
    """

    text: str
    label: int | str
    boundaries: Sequence[object] | None
    path: Path
    line: int
    columns: Mapping[str, object] = field(default_factory=dict)


def _label(value: object, path: Path, line: int) -> int | str:
    """Check that a label is an index or a name, and return a name without blanks around it, as NFC."""
    if isinstance(value, str):
        value = unicodedata.normalize("NFC", value.strip())
    if value is None or value == "":
        raise file_error(path, line, "the label is missing; expected an integer from 0 or a name")
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise file_error(path, line, f"the label is {_shown(value)}; expected an integer from 0 or a name")
    if isinstance(value, int) and value < 0:
        raise file_error(path, line, f"the label is {value}; labels count from 0")
    return value


def _shown(value: object) -> str:
    return json.dumps(value)[:_SHOWN]


def _row(record: Mapping[str, Any], path: Path, line: int) -> Row:
    for column in ("text", "label"):
        if column not in record:
            present = ", ".join(map(repr, record)) or "none"
            raise file_error(path, line, f"there is no column {column!r}; the columns are {present}")
    text, boundaries = record["text"], record.get("boundaries")
    if not isinstance(text, str):
        raise file_error(path, line, f"the text is {_shown(text)}; expected a string")
    if not text.strip():
        raise file_error(path, line, "the text is empty; remove the row or give it a text")
    if boundaries is not None and not isinstance(boundaries, list):
        raise file_error(path, line, f"the boundaries are {_shown(boundaries)}; expected a list of 0 and 1")
    label = _label(record["label"], path, line)
    for name, value in (("text", text), ("label", label)):
        if isinstance(value, str) and has_surrogates(value):
            fault = "contains half a surrogate pair, such as half an emoji; replace it, or remove the row"
            raise file_error(path, line, f"the {name} {_shown(value)} {fault}")
    columns = {name: value for name, value in record.items() if name not in ("text", "label", "boundaries")}
    return Row(text, label, boundaries, path, line, columns)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} occurs twice")
    return found


def _json_rows(path: Path) -> Iterator[Row]:
    for line, text in enumerate(text_lines(read_lines(path), path), 1):
        if not text.strip():
            continue
        try:
            record = json.loads(text, object_pairs_hook=_object)
        except ValueError as error:
            raise file_error(path, line, f"broken JSON ({error}); expected one object per line") from error
        except RecursionError:
            raise file_error(path, line, "its values are nested too deeply") from None
        if not isinstance(record, dict):
            raise file_error(path, line, 'expected one JSON object per line, {"text": ..., "label": ...}')
        yield _row(record, path, line)


def _csv_fields(first: str, more: Iterator[str], separator: str) -> list[str]:
    """Return the fields of a record that begins with the line `first`, and take from `more` what quotes continue.

    Raises:
        ValueError: If a quote is not closed, or something follows a closing quote.
    """
    closed = re.compile(rf"[ \t]*({separator}|[\r\n]|\Z)")
    if '"' not in first:
        return first.rstrip("\r\n").split(separator)
    fields: list[str] = []
    line, at = first, 0
    while True:
        if opening := _OPENING.match(line, at):
            at, pieces = opening.end(), []
            while True:
                quoted = _QUOTED.match(line, at)
                assert quoted is not None  # it matches an empty text, too
                pieces.append(quoted.group())
                if quoted.end() < len(line):
                    break
                line, at = next(more, ""), 0
                if not line:
                    raise ValueError("a quote is opened, but not closed; look for an unclosed quote")
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


def _csv_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the line on which it begins, since quoted text may span several lines."""
    number, separator = 0, ""

    def counted() -> Iterator[str]:
        nonlocal number
        for number, line in enumerate(text_lines(read_lines(path), path), 1):  # noqa: B007 - the records below need it
            yield line

    lines = counted()
    for line in lines:
        start = number
        if not line.strip():
            continue
        if not separator:
            wanted = (
                sign for sign in _SEPARATORS if {"text", "label"} <= {each.strip(' "\r\n') for each in line.split(sign)}
            )
            separator = next(wanted, ",")
        try:
            yield start, _csv_fields(line, lines, separator)
        except ValueError as error:
            if isinstance(error, HsEnvError):
                raise
            raise file_error(path, start, f"broken table ({error})") from error


def _tsv_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text_lines(read_lines(path), path), 1):
        yield number, line.rstrip("\r\n").split("\t")


def _table_rows(path: Path, records: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    columns: list[str] = []
    for line, fields in records:
        if not any(fields):
            continue
        if not columns:
            columns = [field.strip() for field in fields]
            if twice := next((name for name in ("text", "label") if columns.count(name) > 1), None):
                raise file_error(path, line, f"the column {twice!r} occurs twice; remove or rename one")
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
    raise file_error(path, line, f"the label is {label[:_SHOWN]}; expected an integer from 0 or a name")


_READERS: Final[Mapping[str, Callable[[Path], Iterator[Row]]]] = {
    ".jsonl": _json_rows,
    ".json": _json_rows,
    ".csv": lambda path: _table_rows(path, _csv_records(path)),
    ".tsv": lambda path: _table_rows(path, _tsv_records(path)),
}

DATA_SUFFIXES: Final = tuple(f"{suffix}{packed}" for suffix in _READERS for packed in ("", ".gz"))
"""Suffixes of the files that `read_rows` can read, in capitals or not."""


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a file whose name ends in one of `DATA_SUFFIXES`; there is at least one.

    Raises:
        HsEnvError: If the suffix is unknown, or the file cannot be read, is broken or holds no rows.
    """
    name = Path(path.name.lower())
    reader = _READERS.get(name.with_suffix("").suffix if name.suffix == ".gz" else name.suffix)
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


def check_kinds(rows: Sequence[Row], train: Sequence[Row]) -> None:
    """Refuse rows whose labels are numbers if those of the train split are names, except names that are numbers.

    Raises:
        HsEnvError: If a label is such a number.
    """
    names = {row.label for row in train}
    if isinstance(train[0].label, int):
        return
    for row in rows:
        if isinstance(row.label, int) and str(row.label) not in names:
            shown = ", ".join(sorted(map(repr, names))[:10])
            fault = f"the label is {row.label}, but those of {train[0].path.name} are names: {shown}"
            raise file_error(row.path, row.line, f"{fault}; use the same names in every split")


def to_sentences(rows: Sequence[Row], labels: Sequence[str], tokenisation: str = "glove") -> tuple[Sentence, ...]:
    """Tokenise rows and turn their labels into class indices, the positions in `labels`.

    A label that is an integer means the class of that name, or if no class has an integer as its name, that of this
    index. If tokenisation divides the last word of a phrase, the phrase ends at the last part of that word.

    Raises:
        HsEnvError: If a label is unknown or boundaries do not fit the words (with file and line), or there is no such
            tokenisation.
    """
    index = {name: at for at, name in enumerate(labels)}
    numbered = any(map(_INTEGER.fullmatch, labels))
    columns = dict.fromkeys(name for row in rows for name in row.columns)
    sentences = []
    for row in rows:
        by_index = isinstance(row.label, int) and not numbered
        label = int(row.label) if by_index else index.get(str(row.label), -1)
        if not 0 <= label < len(labels):
            fault = f"the label is {row.label!r}, expected one of {', '.join(labels)}"
            raise file_error(row.path, row.line, f"{fault}, or 0 to {len(labels) - 1}")
        if row.boundaries is None:
            sentence = Sentence(tokenise(row.text, tokenisation), label)
        else:
            sentence = _with_boundaries(row, row.boundaries, label, tokenisation)
        if not sentence.words:
            raise file_error(row.path, row.line, f"the text {_shown(row.text)} has no words; remove the row")
        sentences.append(replace(sentence, columns={**columns, **row.columns}) if columns else sentence)
    return tuple(sentences)


def _with_boundaries(row: Row, given: Sequence[object], label: int, tokenisation: str) -> Sentence:
    words = tuple(row.text.split())
    if len(given) != len(words):
        raise file_error(row.path, row.line, f"it has {len(words)} words, but {len(given)} boundaries")
    if any(type(each) is not int or each not in (INSIDE, END) for each in given) or given[-1] != END:
        fault = f"the boundaries are {list(given)}, expected 1 for the last word of each phrase and 0 for the others"
        raise file_error(row.path, row.line, f"{fault}, so 1 for the last word")
    tokens: list[str] = []
    boundaries: list[int] = []
    for piece, boundary in zip(tokenise_words(words, tokenisation), given, strict=True):
        tokens += piece
        boundaries += [INSIDE] * len(piece)
        if boundary == END and boundaries:
            boundaries[-1] = END
    return Sentence(tuple(tokens), label, tuple(boundaries))
