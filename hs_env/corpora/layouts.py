"""Load a corpus from files in one of four layouts.

* One file, which is divided into splits, or into ten folds if a fold is asked for.
* A folder with one file per split: `train.*`, and `test.*` or `dev.*` or both. The dev split may also be named `val.*`,
  `valid.*` or `validation.*`. Without it, a tenth of the train split becomes the dev split.
* The same with other names of files: `TREC.{split}.all` are `TREC.train.all` and `TREC.test.all`.
* A folder with `all.*` and `folds.json` for cross-validation. `folds.json` holds `{"fold": [...]}`: the fold of each
  row of `all.*`, from 0.

Columns are chosen by a `RowFormat`. It may also say that rows with a fault are left out, with a warning. Names of files
may be in capitals. Files of data that belong to none of these layouts are not read, and a warning names them.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from hs_env.corpora.corpus import Corpus
from hs_env.corpora.delimited import separator_name
from hs_env.corpora.files import DATA_SUFFIXES, Row, read_rows, to_sentences
from hs_env.corpora.labels import check_labels, class_names, label_names
from hs_env.corpora.spec import DEFAULT_FORMAT, RowFormat
from hs_env.corpora.splits import DEV_SHARES, SHARES, fold_splits, stratified_split, ten_folds
from hs_env.errors import HsEnvError
from hs_env.storage import exists
from hs_env.textfile import read_lines
from hs_env.types import Sentence

_SPLIT: Final = "{split}"
TOKENISATION: Final = "glove"
"""Name of the tokenisation of all text from files."""

_STEMS: Final[Mapping[str, Sequence[str]]] = {
    "train": ("train",),
    "dev": ("dev", "val", "valid", "validation"),
    "test": ("test",),
}


def find_file(folder: Path, stems: Sequence[str]) -> Path | None:
    """Find the file of a folder with one of these stems and a suffix in `DATA_SUFFIXES`; None if there is none.

    Names are compared without regard to capitals.

    Raises:
        HsEnvError: If there are several such files.
    """
    names = [f"{stem}{suffix}" for stem in stems for suffix in DATA_SUFFIXES]
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [file for name in names for file in files if file.name.lower() == name and file.is_file()]
    if len(found) > 1:
        raise HsEnvError(f"{folder}: expected one of these files, found several: {', '.join(p.name for p in found)}.")
    return found[0] if found else None


def split_files(path: Path) -> dict[str, Path]:
    """Find the existing files of the splits that a path such as `TREC.{split}.all` stands for, by split.

    Raises:
        HsEnvError: If there are several files of a split.
    """
    if _SPLIT not in path.name:
        return {}
    parts: dict[str, Path] = {}
    for split, stems in _STEMS.items():
        found = [file for stem in stems if exists(file := path.with_name(path.name.replace(_SPLIT, stem)))]
        if len(found) > 1:
            raise HsEnvError(f"{path}: expected one of these files, found several: {', '.join(map(str, found))}.")
        if found:
            parts[split] = found[0]
    return parts


class _Reader:
    """Reads files in one format, and keeps the faults of skipped rows.

    Args:
        row_format: Names of columns and classes.
        labels: Names of the classes of a published corpus, whose labels are their names or positions; None for others.
    """

    def __init__(self, row_format: RowFormat, labels: Sequence[str] | None = None) -> None:
        self._format, self._known = row_format, labels
        self._skipped: list[HsEnvError] | None = [] if row_format.skip_bad_rows else None
        self._total = 0
        self._found: Sequence[str] = ()
        self._columns: dict[str, None] = {}
        self.labels: tuple[str, ...] = ()
        """Names of the classes, after `set_labels`."""

    def rows(self, path: Path) -> list[Row]:
        """Read the rows of a file."""
        before = len(self._skipped or ())
        rows = read_rows(path, self._format, self._skipped)
        self._total += len(rows) + len(self._skipped or ()) - before
        self._columns |= dict.fromkeys(name for row in rows for name in row.columns)
        return rows

    def set_labels(self, rows: Sequence[Row], owner: Path) -> None:
        """Take the classes from the labels of these rows, unless they are known."""
        self._found = self._known or label_names(rows)
        self.labels = tuple(self._known or class_names(self._found, self._format.names, owner))

    def sentences(self, rows: Sequence[Row]) -> tuple[Sentence, ...]:
        """Turn rows into sentences."""
        if self._known is None:
            check_labels(rows, self._found)
        return to_sentences(rows, self._found, TOKENISATION, self._skipped, self._columns)

    def warn(self, owner: Path) -> None:
        """Warn of the rows that were skipped."""
        if self._skipped:
            count = f"{len(self._skipped):,} of {self._total:,}"
            warnings.warn(f"{owner}: {count} rows were skipped, the first for: {self._skipped[0]}", stacklevel=2)


def corpus_from_parts(
    name: str,
    parts: Mapping[str, Path],
    *,
    labels: Sequence[str] | None = None,
    source: str = "",
    row_format: RowFormat = DEFAULT_FORMAT,
) -> Corpus:
    """Load a corpus from files of "train" and of "test" or "dev" or both.

    Without a dev file, a stratified tenth of the train split becomes the dev split. `labels` are by default the classes
    of the train split.

    Raises:
        HsEnvError: If a file is missing or broken, or a label is unknown.
    """
    reader = _Reader(row_format, labels)
    rows = {split: reader.rows(path) for split, path in parts.items()}
    reader.set_labels(rows["train"], parts["train"])
    splits = {split: reader.sentences(part) for split, part in rows.items()}
    if "dev" not in splits:
        splits |= stratified_split(splits["train"], DEV_SHARES)
    reader.warn(parts["train"].parent)
    return Corpus(name, reader.labels, splits, TOKENISATION, source=source)


def corpus_from_folds(
    name: str,
    folder: Path,
    *,
    fold: int = 0,
    labels: Sequence[str] | None = None,
    source: str = "",
    row_format: RowFormat = DEFAULT_FORMAT,
) -> Corpus:
    """Load a corpus for cross-validation from a folder with `all.*` and `folds.json`.

    Fold `fold`, from 0, becomes the test split, the next one (cyclically) the dev split, the others the train split.
    `labels` are by default the classes that occur.

    Raises:
        HsEnvError: If a file is missing or broken, a label is unknown, there is no such fold, or rows are to be
            skipped, which would shift the folds.
    """
    path = find_file(folder, ("all",))
    if path is None:
        raise HsEnvError(f"{folder}: there is no file all.jsonl, all.jsonl.gz, all.csv, ... beside folds.json.")
    if row_format.skip_bad_rows:
        raise HsEnvError(f"{folder}: folds.json has a fold for every row, so none can be skipped. Repair the rows.")
    reader = _Reader(row_format, labels)
    rows = reader.rows(path)
    folds = _read_folds(folder / "folds.json", len(rows), path)
    reader.set_labels(rows, path)
    splits = _chosen_fold(name, reader.sentences(rows), folds, fold)
    return Corpus(name, reader.labels, splits, TOKENISATION, source=source)


def _chosen_fold(
    name: str, sentences: Sequence[Sentence], folds: Sequence[int], fold: int
) -> dict[str, tuple[Sentence, ...]]:
    if not 0 <= fold <= max(folds):
        raise HsEnvError(f"The corpus {name!r} has the folds 0 to {max(folds)}, got fold {fold}.")
    return fold_splits(sentences, folds, fold)


def _read_folds(path: Path, num_rows: int, data: Path) -> list[int]:
    try:
        folds = json.loads("".join(read_lines(path)))["fold"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, HsEnvError):
            raise
        raise HsEnvError(f'{path}: expected JSON {{"fold": [...]}} with the fold of each row ({error}).') from error
    if not isinstance(folds, list) or not all(type(fold) is int and fold >= 0 for fold in folds):
        raise HsEnvError(f"{path}: 'fold' must be a list of integers from 0, one per row.")
    if len(folds) != num_rows:
        raise HsEnvError(f"{path}: {len(folds)} folds, but {data.name} has {num_rows} rows.")
    if len(set(folds)) != max(folds) + 1 or max(folds) < 2:
        raise HsEnvError(f"{path}: expected three or more folds, from 0 without gaps, got {sorted(set(folds))}.")
    return folds


def _warn_of_others(folder: Path, used: Collection[Path | None]) -> None:
    """Warn of files that are not read, but look like data: by their ending, or because they are named like a split."""
    stems = {stem for stems in _STEMS.values() for stem in stems}
    others = [
        file.name
        for file in sorted(folder.iterdir())
        if file not in used
        and not file.name.startswith(".")
        and (file.name.lower().endswith(DATA_SUFFIXES) or file.name.lower().partition(".")[0] in stems)
        and file.is_file()
    ]
    if others:
        read = ", ".join(file.name for file in used if file is not None)
        warnings.warn(f"{folder}: some files were not read: {', '.join(others)}; read: {read}.", stacklevel=2)


def corpus_from_path(path: Path, *, fold: int | None = None, row_format: RowFormat = DEFAULT_FORMAT) -> Corpus:
    """Load a corpus from a file or a folder, and name it after its path.

    A single file is divided 80/10/10 into stratified splits, always the same way. With a `fold` it is divided into ten
    stratified folds, always the same ones (see `ten_folds`). With `folds.json` the fold is 0 by default. Other layouts
    have no folds. Warnings as in `warn_of_splits`.

    Raises:
        HsEnvError: If the path does not exist or has none of these layouts, a file is broken, or the corpus has no such
            fold.
    """
    if not exists(path) and not split_files(path):
        raise HsEnvError(f"There is no file or folder {str(path)!r} (looked in {Path.cwd()}).")
    corpus = _read(path, fold, row_format)
    warn_of_splits(corpus, stacklevel=4)
    return corpus


def warn_of_splits(corpus: Corpus, stacklevel: int) -> None:
    """Warn of classes that are missing in dev or test, and of sentences of dev or test that train has, too.

    Args:
        corpus: Corpus from the user's own data.
        stacklevel: As for `warnings.warn`.
    """
    found = {split: corpus.splits[split] for split in ("dev", "test") if corpus.splits[split]}
    for at, label in enumerate(corpus.labels):
        lacking = [split for split, sentences in found.items() if all(each.label != at for each in sentences)]
        if lacking:
            text = f"{corpus.name}: {' and '.join(lacking)} have no sentence of the class {label!r}."
            warnings.warn(text, stacklevel=stacklevel)
    known = {sentence.words for sentence in corpus.splits["train"]}
    for split, sentences in found.items():
        if common := sum(sentence.words in known for sentence in sentences):
            text = f"{corpus.name}: {common:,} of {len(sentences):,} {split} sentences are also training sentences."
            warnings.warn(text, stacklevel=stacklevel)


def _read(path: Path, fold: int | None, row_format: RowFormat) -> Corpus:
    if (path / "folds.json").is_file():
        data = find_file(path, ("all",))
        _warn_of_others(path, (data, path / "folds.json"))
        source = _columns([data] if data else [], row_format)
        return corpus_from_folds(str(path), path, fold=fold or 0, row_format=row_format, source=source)
    parts = split_files(path)
    if not path.is_dir() and not parts:
        return _from_file(path, fold, row_format)
    if fold is not None:
        raise HsEnvError(
            f"{path}: fold {fold} was asked for, but only a single file, or a folder with folds.json, has folds."
        )
    if parts:
        if "train" not in parts or len(parts) == 1:
            found = " and ".join(parts)
            raise HsEnvError(f"{path}: found the files of {found}, expected train and test, or train and dev, or all.")
    else:
        parts = {split: file for split, stems in _STEMS.items() if (file := find_file(path, stems))}
        if "train" not in parts or len(parts) == 1:
            inside = sorted(f"{child.name}/" if child.is_dir() else child.name for child in path.iterdir())
            present = ", ".join(inside[:10]) or "nothing"
            expected = "train.* and test.* (or dev.*, or both), or all.* and folds.json"
            other = f"Files such as NAME.train.csv are given as {path / 'NAME.{split}.csv'}"
            raise HsEnvError(f"{path}: a corpus folder holds {expected}; this one holds {present}. {other}.")
        _warn_of_others(path, parts.values())
    source = _columns(parts.values(), row_format)
    return corpus_from_parts(str(path), parts, row_format=row_format, source=source)


def _from_file(path: Path, fold: int | None, row_format: RowFormat) -> Corpus:
    reader = _Reader(row_format)
    rows = reader.rows(path)
    reader.set_labels(rows, path)
    sentences = reader.sentences(rows)
    if fold is None:
        splits = stratified_split(sentences, SHARES)
    else:
        folds = ten_folds(sentences)
        if len(set(folds)) < 10:
            raise HsEnvError(f"{path}: ten folds need at least ten different sentences; leave the fold out.")
        splits = _chosen_fold(str(path), sentences, folds, fold)
    reader.warn(path)
    return Corpus(str(path), reader.labels, splits, TOKENISATION, source=_columns([path], row_format))


def _columns(files: Iterable[Path], row_format: RowFormat) -> str:
    """Say how files were read: their columns, and the separator of CSV files."""
    read = f"texts from the column {row_format.text!r}, labels from {row_format.label!r}"
    csv = [file for file in files if file.name.lower().endswith((".csv", ".csv.gz"))]
    return "; ".join([read, *(f"{file.name} is separated by {separator_name(file, row_format)}" for file in csv)])
