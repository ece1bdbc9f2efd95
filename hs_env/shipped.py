"""The trained runs that ship with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

DEFAULT_RUN: Final = "movie_reviews"
"""Name of the run that reads new texts by default."""


def shipped_runs() -> dict[str, Path]:
    """Return the trained runs that ship with the package: name to folder, which holds a classifier and its agent."""
    folders = sorted(Path(str(files("hs_env") / "data")).iterdir())
    return {folder.name: folder for folder in folders if folder.is_dir()}
