"""The command `hs-env report`."""

from __future__ import annotations

from pathlib import Path

import tyro
from rich.console import Console

from hs_env.cli.common import Split
from hs_env.errors import HsEnvError
from hs_env.report import make_report
from hs_env.storage import write_atomically
from hs_env.training.run import Run


def report(runs: tyro.conf.Positional[tuple[Path, ...]], out: Path, split: Split = "test", oracle: int = 0) -> None:
    """Write an HTML page about trained runs: tables, learning curves, sentences and configuration.

    Args:
        runs: Folders of runs.
        out: File to write, which must not exist yet.
        split: Sentences to evaluate on.
        oracle: Width of the beam search for the best actions (see `hs-env evaluate`); 0 skips it.
    """
    if out.exists():
        raise HsEnvError(f"{out} exists already. Remove it, or write to another file.")
    page = make_report([Run.load(folder) for folder in runs], split, Console(stderr=True), oracle)
    write_atomically(out, page.encode())
    print(f"The report is in {out}")
