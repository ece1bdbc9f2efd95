"""The trained classifiers and language models that ship with the package."""

from __future__ import annotations

import warnings
from importlib.resources import files
from pathlib import Path
from typing import Final

DEFAULT_RUN: Final = "movie_reviews"
"""Name of the run that reads new texts by default."""

CLASSIFIER: Final = "classifier.safetensors"
"""Name of the classifier's file in the folder of a run."""
AGENT: Final = "agent.safetensors"
"""Name of the agent's file in the folder of a run."""
LANGUAGE_MODEL: Final = "language_model.safetensors"
"""Name of the language model's file in the folder of a run."""


def shipped_runs() -> dict[str, Path]:
    """Return the trained classifiers that ship with the package: name to folder, which also holds the agent, if any."""
    return shipped_folders(CLASSIFIER)


def shipped_language_models() -> dict[str, Path]:
    """Return the language models that ship with the package: name to folder."""
    return shipped_folders(LANGUAGE_MODEL)


def warn_of_folder(name: str, kind: str) -> None:
    """Warn if a folder has the name of something that ships with the package, which is taken instead."""
    if Path(name).is_dir():
        text = f"{name!r} is the {kind} that ships with hs-env, not the folder. For the folder, give ./{name}."
        warnings.warn(text, stacklevel=4)


def shipped_folders(file_name: str) -> dict[str, Path]:
    """Return the folders that ship with the package and hold a file of this name, by their own name."""
    folder = Path(str(files("hs_env") / "data"))
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{file_name}"))}
