"""The command `hs-env reproduce`."""

from __future__ import annotations

import os
from pathlib import Path

import tyro
from rich.console import Console

from hs_env.cli.options import main_options
from hs_env.errors import HsEnvError
from hs_env.experiments.grid import load_grid
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.plots import save_figures
from hs_env.experiments.power import power_of
from hs_env.experiments.power import to_markdown as power_table
from hs_env.experiments.reproduction import GRID, PUBLISHED, choose_cells, provide_data, with_vectors
from hs_env.experiments.runner import run_cells
from hs_env.experiments.summary import load_published, summarise, to_csv, to_markdown
from hs_env.storage import write_atomically


@main_options("corpora", "model", "data_dir", "runs", "jobs", "out")
def reproduce(
    corpora: tyro.conf.Positional[tuple[str, ...]] = (),
    model: tuple[str, ...] = (),
    data_dir: Path = Path("data"),
    runs: int | None = None,
    jobs: int = os.cpu_count() or 1,
    out: Path = Path("runs/reproduction"),
    grid: Path = GRID,
    vectors: str | None = None,
    figures: bool = False,
    power: bool = False,
) -> None:
    """Train what published results need, and print ours beside them.

    Args:
        corpora: Corpora of the grid, such as mr; all by default.
        model: Variants of the grid, such as hs_lstm or plain_lstm; all by default.
        data_dir: Folder of the data sets. What it lacks is downloaded.
        runs: Number of seeds or folds, counted from the first; all by default, 0 prints the table only.
        jobs: Number of processes at a time, each with one thread.
        out: Folder of the ledger, the runs, table.md and table.csv.
        grid: File of another grid.
        vectors: Other word vectors than those of the grid, such as glove-6b-50d.
        figures: Also draw accuracy, learning curves, phrases per sentence and phrase lengths, in OUT/figures.
        power: Also print which differences from the plain LSTM the runs can detect with 80% power.
    """
    console, ledger = Console(stderr=True), Ledger(out / "ledger.jsonl")
    cells = with_vectors(load_grid(grid, data_dir), vectors)
    wanted = choose_cells(cells, corpora, model)
    missing = [cell for cell in wanted if (runs is None or cell.number < runs)]
    faults = []
    if missing:
        provide_data(missing, data_dir, console)
        faults = run_cells(missing, ledger, lambda cell: out / "cells" / cell.key, jobs, console)
    results, published = ledger.results(), load_published(PUBLISHED)
    lines = summarise(cells, results, published)
    write_atomically(out / "table.md", to_markdown(lines).encode())
    write_atomically(out / "table.csv", to_csv(lines).encode())
    print(to_markdown(lines if wanted == cells else summarise(wanted, results, published)))
    if power:
        print(power_table(power_of(choose_cells(cells, corpora, ()), results, model)))
    for path in save_figures(cells, results, out / "figures") if figures else []:
        print(path)
    if faults:
        raise HsEnvError(f"{len(faults)} runs have no result: {faults[0]}. Repeat the command.")
