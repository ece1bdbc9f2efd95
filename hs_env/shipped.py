"""The trained classifiers and language models that ship with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

DEFAULT_RUN: Final = "movie_reviews"
"""Name of the run that reads new texts by default."""

CLASSIFIER: Final = "classifier.safetensors"
"""Name of the classifier's file in the folder of a run."""
LANGUAGE_MODEL: Final = "language_model.safetensors"
"""Name of the language model's file in the folder of a run."""


def shipped_runs() -> dict[str, Path]:
    """Return the trained classifiers that ship with the package: name to folder, which also holds the agent, if any."""
    return shipped_folders(CLASSIFIER)


def shipped_language_models() -> dict[str, Path]:
    """Return the language models that ship with the package: name to folder."""
    return shipped_folders(LANGUAGE_MODEL)


def shipped_folders(file_name: str) -> dict[str, Path]:
    """Return the folders that ship with the package and hold a file of this name, by their own name."""
    folder = Path(str(files("hs_env") / "data"))
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{file_name}"))}
