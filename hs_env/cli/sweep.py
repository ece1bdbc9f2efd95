"""The command `hs-env sweep`, and the part of it that `hs-env reproduce` is made of."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

import tyro
from rich.console import Console

from hs_env.cli.help import join_lines
from hs_env.cli.options import main_options
from hs_env.errors import HsEnvError

if TYPE_CHECKING:
    from hs_env.experiments.runner import Launch


@dataclass(frozen=True)
class SweepOptions:
    """Options of a sweep."""

    MAIN: ClassVar[tuple[str, ...]] = ("model", "data_dir", "runs", "jobs", "engine", "address")

    model: tuple[str, ...] = ()
    """Variants of the grid, such as hs_lstm or plain_lstm; all by default."""
    data_dir: Path = Path("data")
    """Folder of the data sets. What it lacks is downloaded."""
    runs: int | None = None
    """Number of seeds or folds, counted from the first; all by default, 0 prints the table only."""
    jobs: int | None = None
    """Number of runs at a time, each with one thread; by default one per CPU of the machine or cluster."""
    engine: Literal["local", "ray"] = "local"
    """Processes on this machine, or Ray."""
    address: str | None = None
    """Address of a Ray cluster; by default one that runs on this machine, or else a new one."""
    vectors: str | None = None
    """Other word vectors than those of the grid, such as glove-6b-50d."""
    figures: bool = False
    """Also draw accuracy, learning curves, phrases per sentence and phrase lengths, in OUT/figures."""
    power: bool = False
    """Also print which differences from the plain LSTM the runs can detect with 80% power."""


join_lines(SweepOptions)
DEFAULTS: Final = SweepOptions()


@main_options("grid", "out", "options")
def sweep(
    grid: tyro.conf.Positional[Path],
    out: Path,
    corpora: tuple[str, ...] = (),
    options: Annotated[SweepOptions, tyro.conf.arg(name="")] = DEFAULTS,
) -> None:
    """Train what a grid of configurations lacks, here or on Ray.

    Args:
        grid: File of the grid: corpora with seeds or folds, and variants of the configuration.
        out: Folder of the ledger, the runs, table.md and table.csv.
        corpora: Corpora of the grid; all by default.
        options: Options of the sweep.
    """
    run_grid(grid, {}, out, corpora, options)


def run_grid(
    grid: Path,
    published: dict[str, dict[str, float]],
    out: Path,
    corpora: Sequence[str],
    options: SweepOptions,
) -> None:
    """Run the missing cells of a grid, and print and save the table of all results, beside published accuracies."""
    from hs_env.experiments.grid import load_grid
    from hs_env.experiments.ledger import Ledger
    from hs_env.experiments.plots import save_figures
    from hs_env.experiments.power import power_of
    from hs_env.experiments.power import to_markdown as power_table
    from hs_env.experiments.reproduction import choose_cells, provide_data, with_vectors
    from hs_env.experiments.runner import run_cells
    from hs_env.experiments.summary import summarise, to_csv, to_markdown
    from hs_env.storage import check_folder, write_atomically

    check_folder(out)
    if options.address is not None and options.engine != "ray":
        raise HsEnvError("--address is for --engine ray.")
    for name, low in (("runs", 0), ("jobs", 1)):
        number = getattr(options, name)
        if number is not None and number < low:
            raise HsEnvError(f"--{name} must be {low} or more, got {number}.")
    console, ledger = Console(stderr=True), Ledger(out / "ledger.jsonl")
    cells = with_vectors(load_grid(grid, options.data_dir), options.vectors)
    wanted = choose_cells(cells, corpora, options.model)
    missing = [cell for cell in wanted if options.runs is None or cell.number < options.runs]
    faults = []
    if missing:
        provide_data(missing, options.data_dir, console)
        with _engine(options) as (launch, jobs):
            faults = run_cells(missing, ledger, lambda cell: out / "cells" / cell.key, jobs, console, launch)
    results = ledger.results()
    lines = summarise(cells, results, published)
    if not lines and not faults:
        others = f"{len(results)} results of other configurations" if results else "no result"
        raise HsEnvError(f"{ledger.path} holds {others}, and none of this grid, so there is no table.")
    if lines:
        write_atomically(out / "table.md", to_markdown(lines).encode())
        write_atomically(out / "table.csv", to_csv(lines).encode())
    print(to_markdown(lines if wanted == cells else summarise(wanted, results, published)))
    if options.power:
        print(power_table(power_of(choose_cells(cells, corpora, ()), results, options.model)))
    for path in save_figures(cells, results, out / "figures") if options.figures else []:
        print(path)
    if faults:
        raise HsEnvError(f"{len(faults)} runs have no result: {faults[0]}. Once the cause is gone, repeat the command.")


@contextmanager
def _engine(options: SweepOptions) -> Iterator[tuple[Launch, int]]:
    """Yield the function that launches a run, and the number of runs at a time."""
    if options.engine == "ray":
        from hs_env.experiments.on_ray import ray_cluster

        with ray_cluster(options.address) as (launch, cpus):
            yield launch, options.jobs or cpus
    else:
        from hs_env.experiments.runner import launch_here

        yield launch_here, options.jobs or os.cpu_count() or 1
