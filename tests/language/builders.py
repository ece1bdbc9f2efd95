"""Shared by the tests of language models."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from hs_env.language import LMConfig

CONFIG = LMConfig(
    hidden_size=8, embedding_size=6, output_size=8, batch_size=8, stretch=20, updates=30, evaluate_every=15, threads=1
)
QUIET = Console(quiet=True)


def write(folder: Path, content: bytes, name: str = "a.txt") -> Path:
    """Write a file and return its path."""
    (folder / name).write_bytes(content)
    return folder / name
