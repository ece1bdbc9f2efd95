"""Reproduce published results: the grid of the comparison, the data that it needs, and the published accuracies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Final

from rich.console import Console

from hs_env.corpora.layouts import find_file
from hs_env.corpora.preparation import prepare
from hs_env.errors import HsEnvError
from hs_env.experiments.grid import Cell
from hs_env.registry import unknown_name
from hs_env.vectors import is_contextual, load_vectors

_HERE: Final = Path(str(files("hs_env.experiments")))
GRID: Final = _HERE / "reproduce.toml"
"""The grid of the comparison: every variant on every corpus."""
PUBLISHED: Final = _HERE / "published.toml"
"""The published accuracies."""

FOLDERS: Final = {"sst2": "sst", "sst5": "sst"} | {
    name: name for name in ("mr", "subj", "ag_news", "trec", "cr", "mpqa")
}
"""Folder of each corpus in the data folder, which is also the name of its data set in `prepare`."""


def choose_cells(cells: Sequence[Cell], corpora: Sequence[str], variants: Sequence[str]) -> list[Cell]:
    """Return the cells of these corpora and variants; empty sequences mean all.

    Raises:
        HsEnvError: If the grid has no such corpus or variant; the message suggests the nearest.
    """
    for kind, wanted, known in (
        ("corpus of the grid", corpora, {cell.corpus for cell in cells}),
        ("variant of the grid", variants, {cell.variant for cell in cells}),
    ):
        for name in wanted:
            if name not in known:
                raise unknown_name(kind, name, known)
    return [
        cell for cell in cells if (not corpora or cell.corpus in corpora) and (not variants or cell.variant in variants)
    ]


def with_vectors(cells: Sequence[Cell], vectors: str | None) -> list[Cell]:
    """Return the cells with other word vectors, or unchanged for None."""
    if vectors is None:
        return list(cells)
    return [replace(cell, config=replace(cell.config, vectors=vectors)) for cell in cells]


def _is_whole(folder: Path) -> bool:
    """Return whether a data set is there, with the file that a preparation writes last."""
    last = "sst2.test" if folder.name == "sst" else "test"
    return (folder / "folds.json").exists() or find_file(folder, (last,)) is not None


def provide_data(cells: Sequence[Cell], data_dir: Path, console: Console) -> None:
    """Make the data sets that the cells need and `data_dir` lacks, and check that their word vectors are there.

    Raises:
        HsEnvError: If a data set cannot be downloaded, or a file of word vectors is missing.
    """
    stems = {re.sub(r"(_trees|_phrases)?(\.v\d+)?(:.*)?$", "", cell.corpus, count=1) for cell in cells}
    for folder in sorted({FOLDERS[stem] for stem in stems if stem in FOLDERS}):
        if not _is_whole(data_dir / folder):
            prepare(data_dir, [folder], console=console)
    variants = {cell.config.vectors: cell.variant for cell in cells if not is_contextual(cell.config.vectors)}
    for spec, variant in sorted(variants.items()):
        try:
            load_vectors(spec, ["the"], seed=0, data_dir=data_dir)
        except HsEnvError as error:
            raise HsEnvError(
                f"The variant {variant!r} has no word vectors: {error} docs/corpora.md says where vectors come from. "
                "With --vectors glove-6b-50d no run needs a file."
            ) from error
