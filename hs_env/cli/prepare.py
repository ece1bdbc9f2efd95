"""The command `hs-env prepare`."""

from __future__ import annotations

from pathlib import Path

import tyro
from rich.console import Console

from hs_env.corpora import preparation
from hs_env.storage import check_folder


def prepare(
    sets: tyro.conf.Positional[tuple[preparation.SetName, ...]] = (),
    out: Path = Path("data"),
    downloads: Path | None = None,
) -> None:
    """Download data sets and word vectors, and convert them to files.

    Args:
        sets: Data sets to make; all by default.
        out: Folder to make, for `--data-dir`.
        downloads: Folder of downloaded files, by default OUT/downloads. Files in it are not downloaded again.
    """
    check_folder(out)
    preparation.prepare(out, sets, downloads, Console())
