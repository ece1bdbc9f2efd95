"""The command `hs-env reproduce`: a sweep of the grid of the comparison, beside the published accuracies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from hs_env.cli.options import main_options
from hs_env.cli.sweep import DEFAULTS, SweepOptions, run_grid


@main_options("corpora", "out", "options")
def reproduce(
    corpora: tyro.conf.Positional[tuple[str, ...]] = (),
    out: Path = Path("runs/reproduction"),
    options: Annotated[SweepOptions, tyro.conf.arg(name="")] = DEFAULTS,
) -> None:
    """Train what published results need, and print ours beside them.

    Args:
        corpora: Corpora of the grid, such as mr; all by default.
        out: Folder of the ledger, the runs, table.md and table.csv.
        options: Options of the sweep.
    """
    from hs_env.experiments.reproduction import GRID, PUBLISHED
    from hs_env.experiments.summary import load_published

    run_grid(GRID, load_published(PUBLISHED), out, corpora, options)
