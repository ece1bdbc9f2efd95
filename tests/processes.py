"""Processes of their own for functions that are killed. Where the system allows it, one process imports for all."""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Final

from rich.console import Console

from hs_env.training import TrainConfig, train_or_resume

_METHOD: Final = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
CONTEXT: Final[BaseContext] = multiprocessing.get_context(_METHOD)
"""Makes processes that share nothing with this one."""

multiprocessing.set_forkserver_preload(["tests.processes", "torch._dynamo"])


def train_quietly(config: TrainConfig, folder: Path) -> None:
    """Begin a run, or go on with it."""
    train_or_resume(config, folder, Console(quiet=True))
