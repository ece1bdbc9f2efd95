"""Load a corpus from files in one of three layouts.

* One file, which is divided into splits.
* A folder with one file per split: `train.*`, `test.*` and optionally `dev.*`, `val.*`, `valid.*` or `validation.*`.
* A folder with `all.*` and `folds.json` for cross-validation. `folds.json` holds `{"fold": [...]}`: the fold of each
  row of `all.*`, from 0.

Names of files may be in capitals. Files of data that belong to none of these are not read, and a warning names them.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from hs_env.corpora.corpus import Corpus
from hs_env.corpora.files import DATA_SUFFIXES, check_kinds, label_names, read_rows, to_sentences
from hs_env.corpora.splits import DEV_SHARES, SHARES, fold_splits, stratified_split
from hs_env.errors import HsEnvError
from hs_env.storage import exists
from hs_env.textfile import read_lines

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


def corpus_from_parts(
    name: str, parts: Mapping[str, Path], *, labels: Sequence[str] | None = None, source: str = ""
) -> Corpus:
    """Load a corpus from files of "train" and "test", and optionally of "dev".

    Without a dev file, a stratified tenth of the train split becomes the dev split. `labels` are by default the classes
    of the train split.

    Raises:
        HsEnvError: If a file is missing or broken, or a label is unknown.
    """
    rows = {split: read_rows(path) for split, path in parts.items()}
    names = tuple(labels or label_names(rows["train"]))
    if labels is None:
        for part in rows.values():
            check_kinds(part, rows["train"])
    splits = {split: to_sentences(part, names, TOKENISATION) for split, part in rows.items()}
    if "dev" not in splits:
        splits |= stratified_split(splits["train"], DEV_SHARES)
    return Corpus(name, names, splits, TOKENISATION, source=source)


def corpus_from_folds(
    name: str, folder: Path, *, fold: int = 0, labels: Sequence[str] | None = None, source: str = ""
) -> Corpus:
    """Load a corpus for cross-validation from a folder with `all.*` and `folds.json`.

    Fold `fold`, from 0, becomes the test split, the next one (cyclically) the dev split, the others the train split.
    `labels` are by default the classes that occur.

    Raises:
        HsEnvError: If a file is missing or broken, a label is unknown, or there is no such fold.
    """
    path = find_file(folder, ("all",))
    if path is None:
        raise HsEnvError(f"{folder}: there is no file all.jsonl, all.jsonl.gz, all.csv, ... beside folds.json.")
    rows = read_rows(path)
    folds = _read_folds(folder / "folds.json", len(rows), path)
    if not 0 <= fold <= max(folds):
        raise HsEnvError(f"The corpus {name!r} has the folds 0 to {max(folds)}, got fold {fold}.")
    names = tuple(labels or label_names(rows))
    splits = fold_splits(to_sentences(rows, names, TOKENISATION), folds, fold)
    return Corpus(name, names, splits, TOKENISATION, source=source)


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


def corpus_from_path(path: Path, *, fold: int | None = None) -> Corpus:
    """Load a corpus from a file or a folder, and name it after its path.

    A single file is divided 80/10/10 into stratified splits, always the same way. A `fold` is only allowed with
    `folds.json`; it is 0 by default.

    Raises:
        HsEnvError: If the path does not exist or has none of these layouts, a file is broken, or the corpus has no such
            fold.
    """
    if not exists(path):
        raise HsEnvError(f"There is no file or folder {str(path)!r} (looked in {Path.cwd()}).")
    if (path / "folds.json").is_file():
        _warn_of_others(path, (find_file(path, ("all",)), path / "folds.json"))
        return corpus_from_folds(str(path), path, fold=fold or 0)
    if fold is not None:
        raise HsEnvError(f"{path}: fold {fold} was asked for, but there is no folds.json; leave the fold out.")
    if path.is_dir():
        parts = {split: file for split, stems in _STEMS.items() if (file := find_file(path, stems))}
        if not {"train", "test"} <= parts.keys():
            present = ", ".join(sorted(child.name for child in path.iterdir())[:10]) or "nothing"
            expected = "train.* and test.* (perhaps dev.*), or all.* and folds.json"
            raise HsEnvError(f"{path}: a corpus folder holds {expected}; this one holds {present}.")
        _warn_of_others(path, parts.values())
        return corpus_from_parts(str(path), parts)
    rows = read_rows(path)
    labels = label_names(rows)
    splits = stratified_split(to_sentences(rows, labels, TOKENISATION), SHARES)
    return Corpus(str(path), labels, splits, TOKENISATION)
