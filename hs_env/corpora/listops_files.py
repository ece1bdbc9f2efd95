"""Load the public files of ListOps, such as `train_d20s.tsv` of its authors, or `basic_train.tsv` of Long Range Arena.

A line has a value and an expression, in either order, separated by a tab. A header is skipped. Round brackets mark the
binary tree, as in `( ( ( [MAX 2 ) 9 ) ] )`; in files without them the tree is that of `gold_actions`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hs_env.corpora.corpus import Corpus, register_corpus
from hs_env.corpora.listops import CLOSE, DIGITS, OPERATORS, gold_actions
from hs_env.corpora.splits import DEV_SHARES, stratified_split
from hs_env.errors import HsEnvError
from hs_env.textfile import file_error, read_lines, text_lines
from hs_env.types import Sentence

_WORDS: Final = frozenset({*OPERATORS, CLOSE, *DIGITS})
_FILES: Final = {"train": ("train",), "dev": ("dev", "val"), "test": ("test",)}


@register_corpus("listops_files.v1")
def listops_files(*, data_dir: Path | None = None) -> Corpus:
    """Load ListOps from `.tsv` or `.tsv.gz` files in `data_dir/listops/`, whose names contain train, test, dev or val.

    Without a dev file, a stratified tenth of the training expressions becomes the dev split.

    Raises:
        HsEnvError: If a file is missing or broken.
    """
    folder = Path("." if data_dir is None else data_dir) / "listops"
    if data_dir is None or not folder.is_dir():
        raise HsEnvError(f"The corpus 'listops_files' is read from {folder}: give data_dir, the folder above it.")
    paths = {split: _find(folder, names) for split, names in _FILES.items()}
    if missing := [split for split in ("train", "test") if paths[split] is None]:
        raise HsEnvError(f"{folder}: there is no file *{missing[0]}*.tsv.")
    splits = {split: tuple(read_expressions(path)) for split, path in paths.items() if path is not None}
    if "dev" not in splits:
        splits |= stratified_split(splits["train"], DEV_SHARES)
    source = "Nangia and Bowman 2018, ListOps; no licence stated"
    return Corpus("listops_files", DIGITS, splits, "split", best_accuracy=1.0, source=source, problem="composition")


def _find(folder: Path, names: tuple[str, ...]) -> Path | None:
    """Return the file of a split, or None.

    Raises:
        HsEnvError: If there are several.
    """
    files = [file for file in sorted(folder.iterdir()) if file.name.lower().endswith((".tsv", ".tsv.gz"))]
    found = [file for file in files if any(name in file.name.lower() for name in names)]
    if len(found) > 1:
        raise HsEnvError(f"{folder}: expected one {names[0]} file, found {', '.join(file.name for file in found)}.")
    return found[0] if found else None


def read_expressions(path: Path) -> Iterator[Sentence]:
    """Yield the expressions of a file with their values and gold trees.

    Raises:
        HsEnvError: If the file cannot be read, or a line is broken; the message names file and line.
    """
    for number, line in enumerate(text_lines(read_lines(path), path), 1):
        fields = [field.strip() for field in line.split("\t")]
        values = [field for field in fields if field in DIGITS]
        if not any(fields) or (number == 1 and not values):
            continue
        if len(fields) != 2 or not values:
            raise file_error(path, number, f"expected a value from 0 to 9, a tab and an expression, got {line[:40]!r}")
        text = fields[0] if fields[1] in DIGITS else fields[1]
        yield _expression(text, int(values[-1]), path, number)


def _expression(text: str, value: int, path: Path, line: int) -> Sentence:
    words: list[str] = []
    closed: list[int] = []
    for token in text.split():
        if token in _WORDS:
            words.append(token)
            closed.append(0)
        elif token == ")" and words:
            closed[-1] += 1
        elif token != "(":
            raise file_error(path, line, f"{token!r} is no word of ListOps: {', '.join(sorted(_WORDS))}")
    return Sentence(tuple(words), value, tuple(closed) if any(closed) else gold_actions(words))
