"""A short text, and a finished run on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hs_env.language import LMRun, train_lm
from tests.language.builders import CONFIG, QUIET


@pytest.fixture(scope="session")
def text_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short text: a sentence over and over."""
    path: Path = tmp_path_factory.mktemp("texts") / "fox.txt"
    path.write_text("the quick brown fox jumps over the lazy dog. " * 200)
    return path


@pytest.fixture(scope="session")
def finished(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> LMRun:
    return train_lm(replace(CONFIG, text=str(text_file)), tmp_path_factory.mktemp("runs") / "finished", QUIET)
