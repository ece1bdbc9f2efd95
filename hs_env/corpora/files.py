"""Read labelled sentences from JSON lines, CSV, TSV, Parquet files, and lines with a label in front.

* `.jsonl`, `.json`: one object per line, `{"text": ..., "label": ...}`. The optional list `"boundaries"` has one number
  per white-space separated word of the text: 1 for the last word of a phrase, 0 for other words.
* `.csv`: a header with the columns `text` and `label`, all separated by commas, semicolons, tabs or vertical bars. Text
  in double quotes may contain separators and line breaks; `""` in it means one quote. Blanks around quotes are ignored.
* `.tsv`: the same with tabs, one row per line. Quotes have no special meaning.
* `.all`: a label, a blank and a text per line, as in the public files of TREC, CR and MPQA.
* `.parquet`.

All but Parquet may be packed with gzip. A `RowFormat` names other columns. A label is any text or number. Other keys
and columns are kept for rewards, and empty lines are skipped. Lines end as on any system, and the ending of a file's
name may be in capitals. Text is UTF-8, unless the format names another encoding, which Parquet ignores. A fault in a
row raises an `HsEnvError` that names the file and the line, or counts as skipped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from hs_env.corpora.delimited import Record, Wanted, csv_rows, labelled_records, row_lines, tsv_rows, wanted_by
from hs_env.corpora.labels import read_label
from hs_env.corpora.parquet import parquet_rows
from hs_env.corpora.spec import DEFAULT_FORMAT, RowFormat
from hs_env.corpora.tokenisation import tokenise, tokenise_words
from hs_env.errors import HsEnvError
from hs_env.storage import StrPath
from hs_env.text_units import unit_of
from hs_env.textfile import file_error, has_surrogates
from hs_env.types import END, INSIDE, Sentence

_SHOWN: Final = 40  # characters of a wrong value in an error


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text and its place in a file.

    Attributes:
        text: Text that is not blank.
        label: Label as a text, see `read_label`.
        boundaries: Gold actions of the white-space separated words, not validated, or None.
        path: File of the row, or `hf:NAME/SPLIT` for a data set of the Hugging Face hub.
        line: Line on which the row begins, or its number in a Parquet file or data set; from 1.
        columns: Values of all other columns by name, for rewards.
    """

    text: str
    label: str
    boundaries: Sequence[object] | None
    path: Path
    line: int
    columns: Mapping[str, object] = field(default_factory=dict)


def _shown(value: object) -> str:
    return json.dumps(value, default=str)[:_SHOWN]


def _row(record: Mapping[str, Any], path: Path, line: int, row_format: RowFormat) -> Row:
    for column in (row_format.text, row_format.label):
        if column not in record:
            present = ", ".join(map(repr, record)) or "none"
            raise file_error(path, line, f"there is no column {column!r}; the columns are {present}")
    text, boundaries = record[row_format.text], record.get("boundaries")
    if text is None or (isinstance(text, str) and not text.strip()):
        raise file_error(path, line, "the text is empty; give the row one, or leave such rows out with --skip-bad-rows")
    if not isinstance(text, str):
        raise file_error(path, line, f"the text is {_shown(text)}; expected a string")
    if boundaries is not None and not isinstance(boundaries, list):
        raise file_error(path, line, f"the boundaries are {_shown(boundaries)}; expected a list of 0 and 1")
    try:
        label = read_label(record[row_format.label])
    except ValueError as error:
        raise file_error(path, line, str(error)) from None
    for name, value in (("text", text), ("label", label)):
        if has_surrogates(value):
            fault = "contains half a surrogate pair, such as half an emoji; replace it, or remove the row"
            raise file_error(path, line, f"the {name} {_shown(value)} {fault}")
    own = (row_format.text, row_format.label, "boundaries")
    columns = {name: value for name, value in record.items() if name not in own}
    return Row(text, label, boundaries, path, line, columns)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} occurs twice")
    return found


def _json_records(path: Path, row_format: RowFormat) -> Iterator[Record]:
    for line, text in enumerate(row_lines(path, row_format), 1):
        if text.strip():
            yield line, _json_record(text, path, line)


def _json_record(text: str, path: Path, line: int) -> dict[str, object] | HsEnvError:
    try:
        record = json.loads(text, object_pairs_hook=_object)
    except ValueError as error:
        return file_error(path, line, f"broken JSON ({error}); expected one object per line")
    except RecursionError:
        return file_error(path, line, "its values are nested too deeply")
    if not isinstance(record, dict):
        return file_error(path, line, 'expected one JSON object per line, {"text": ..., "label": ...}')
    return record


def _table(
    rows: Callable[[Path, Iterator[str], Wanted], Iterator[Record]], path: Path, row_format: RowFormat
) -> Iterator[Record]:
    """Yield the records of a table that are not blank, without the column `boundaries`, which has no lists there."""
    for line, record in rows(path, row_lines(path, row_format), wanted_by(row_format)):
        if isinstance(record, dict):
            record.pop("boundaries", None)
        if record:
            yield line, record


_READERS: Final[Mapping[str, Callable[[Path, RowFormat], Iterator[Record]]]] = {
    ".jsonl": _json_records,
    ".json": _json_records,
    ".csv": partial(_table, csv_rows),
    ".tsv": partial(_table, tsv_rows),
    ".all": labelled_records,
    ".parquet": lambda path, row_format: parquet_rows(path, wanted_by(row_format)),
}

DATA_SUFFIXES: Final = (
    *(f"{suffix}{packed}" for suffix in _READERS if suffix != ".parquet" for packed in ("", ".gz")),
    ".parquet",
)
"""Suffixes of the files that `read_rows` can read, in capitals or not."""


def read_rows(
    path: StrPath, row_format: RowFormat = DEFAULT_FORMAT, skipped: list[HsEnvError] | None = None
) -> list[Row]:
    """Read the rows of a file whose name ends in one of `DATA_SUFFIXES`; there is at least one.

    Args:
        path: File to read.
        row_format: Names of the columns, and the encoding.
        skipped: Collects the faults of rows, which are then left out. None: the first fault is raised.

    Raises:
        HsEnvError: If the suffix is unknown, or the file cannot be read, is broken or holds no rows.
    """
    path = Path(path)
    if not path.name.lower().endswith(DATA_SUFFIXES):
        raise HsEnvError(
            f"{path}: unknown type of file; a file of sentences ends in one of {', '.join(DATA_SUFFIXES)}."
        )
    reader = _READERS[Path(path.name.lower().removesuffix(".gz")).suffix]
    rows = []
    for line, record in reader(path, row_format):
        try:
            if isinstance(record, HsEnvError):
                raise record
            rows.append(_row(record, path, line, row_format))
        except HsEnvError as fault:
            if skipped is None:
                raise
            skipped.append(fault)
    if not rows:
        first = f" The first fault: {skipped[0]}" if skipped else ""
        raise HsEnvError(f"{path}: the file holds no sentences.{first}")
    return rows


def to_sentences(
    rows: Sequence[Row],
    labels: Sequence[str],
    tokenisation: str = "glove",
    skipped: list[HsEnvError] | None = None,
    columns: Iterable[str] = (),
) -> tuple[Sentence, ...]:
    """Tokenise rows and turn their labels into class indices, the positions in `labels`.

    A label means the class of that name. If no class has a whole number as its name, a label that is one means the
    class at this position. If tokenisation divides the last word of a phrase, the phrase ends at the last part of that
    word.

    Args:
        rows: Rows to turn into sentences.
        labels: Names of the classes.
        tokenisation: Name of the tokenisation.
        skipped: Collects the faults of rows, which are then left out. None: the first fault is raised.
        columns: Names of columns that other rows of the corpus have. A row that lacks a column has None there.

    Raises:
        HsEnvError: If a label is unknown or boundaries do not fit the words (with file and line), or there is no such
            tokenisation.
    """
    index, numbered = {name: at for at, name in enumerate(labels)}, any(name.isdecimal() for name in labels)
    if not numbered:
        index |= {str(at): at for at in range(len(labels))}
    missing = dict.fromkeys([*columns, *(name for row in rows for name in row.columns)])
    sentences = []
    for row in rows:
        if row.label not in index:
            fault = f"the label is {row.label!r}, expected one of {', '.join(labels)}"
            raise file_error(row.path, row.line, fault if numbered else f"{fault}, or 0 to {len(labels) - 1}")
        try:
            sentence = _sentence(row, index[row.label], tokenisation)
        except HsEnvError as error:
            if skipped is None:
                raise
            skipped.append(error)
        else:
            sentences.append(replace(sentence, columns={**missing, **row.columns}) if missing else sentence)
    return tuple(sentences)


def _sentence(row: Row, label: int, tokenisation: str) -> Sentence:
    if row.boundaries is None:
        sentence = Sentence(tokenise(row.text, tokenisation), label, unit=unit_of(tokenisation))
    else:
        sentence = _with_boundaries(row, row.boundaries, label, tokenisation)
    if not sentence.words:
        raise file_error(row.path, row.line, f"the text {_shown(row.text)} has no words; remove the row")
    return sentence


def _with_boundaries(row: Row, given: Sequence[object], label: int, tokenisation: str) -> Sentence:
    words = tuple(row.text.split())
    if len(given) != len(words):
        raise file_error(row.path, row.line, f"it has {len(words)} words, but {len(given)} boundaries")
    if any(type(each) is not int or each not in (INSIDE, END) for each in given) or given[-1] != END:
        expected = "the integer 1 for the last word of each phrase, so also of the text, and else the integer 0"
        raise file_error(row.path, row.line, f"the boundaries are {list(given)}, expected {expected}")
    tokens: list[str] = []
    boundaries: list[int] = []
    for piece, boundary in zip(tokenise_words(words, tokenisation), given, strict=True):
        tokens += piece
        boundaries += [INSIDE] * len(piece)
        if boundary == END and boundaries:
            boundaries[-1] = END
    return Sentence(tuple(tokens), label, tuple(boundaries))
