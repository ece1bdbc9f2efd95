"""Run a grid of trainings from a file, and make tables and figures of the results.

`run` runs the missing cells, in one process per core. If it was stopped, start it again. `docs/reproduction.md`
describes the grid and the ledger.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import tyro
from rich.console import Console

from hs_env.errors import HsEnvError
from hs_env.experiments import power as powers
from hs_env.experiments.grid import Cell, load_grid, rekeyed
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.plots import save_figures
from hs_env.experiments.result import result_of
from hs_env.experiments.summary import load_published, summarise, to_csv, to_markdown
from hs_env.storage import write_atomically
from hs_env.training import train_or_resume

HERE = Path(__file__).parent
GRID, OUT = HERE / "reproduce.toml", Path("runs/reproduction")
LEDGER, RUNS = "ledger.jsonl", "cells"


def run(
    grid: Path = GRID,
    out: Path = OUT,
    data_dir: Path | None = None,
    corpora: tuple[str, ...] = (),
    variants: tuple[str, ...] = (),
    runs: int | None = None,
    cores: int = os.cpu_count() or 1,
) -> None:
    """Run the cells of a grid that have no result in the ledger.

    Args:
        grid: File of the grid.
        out: Folder of the ledger and the runs.
        data_dir: Folder of the data sets that are not built in.
        corpora: Names of the corpora to run; all by default.
        variants: Names of the variants to run; all by default.
        runs: Number of seeds or folds to run, counted from the first; all by default.
        cores: Number of processes at a time, each with one thread.
    """
    done, console = Ledger(out / LEDGER).results(), Console(stderr=True)
    wanted = [
        cell
        for cell in load_grid(grid, data_dir)
        if (not corpora or cell.corpus in corpora) and (not variants or cell.variant in variants)
        if runs is None or cell.number < runs
    ]
    cells = [cell for cell in wanted if cell.key not in done]
    console.print(f"{len(cells)} cells to run, {cores} at a time; {len(wanted) - len(cells)} are done")
    with ThreadPoolExecutor(cores) as pool:
        running = [pool.submit(_launch, cell, grid, out, data_dir) for cell in cells]
        try:
            for number, finished in enumerate(as_completed(running), 1):
                console.print(f"{number}/{len(cells)} {finished.result()}", highlight=False, soft_wrap=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _launch(cell: Cell, grid: Path, out: Path, data_dir: Path | None) -> str:
    """Run a cell in its own process; write a failure to the ledger, unless the process was killed."""
    command = [sys.executable, __file__, "cell", cell.key, "--grid", str(grid), "--out", str(out)]
    command += [] if data_dir is None else ["--data-dir", str(data_dir)]
    log = out / RUNS / f"{cell.key}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        begun = time.monotonic()
        state = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL).returncode
    if state == 0:
        return f"{cell.key} took {time.monotonic() - begun:.0f} s"
    if state < 0:
        return f"{cell.key} was killed by signal {-state}; run it again"
    last = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
    Ledger(out / LEDGER).append({"key": cell.key, "error": last or "no message", "exit_status": state, "log": str(log)})
    return f"{cell.key} failed: {last}"


def cell(key: tyro.conf.Positional[str], grid: Path = GRID, out: Path = OUT, data_dir: Path | None = None) -> None:
    """Run or resume one cell; `run` starts a process with this command for each cell.

    Args:
        key: Key of the cell.
        grid: File of the grid.
        out: Folder of the ledger and the runs.
        data_dir: Folder of the data sets that are not built in.
    """
    found = next((cell for cell in load_grid(grid, data_dir) if cell.key == key), None)
    if found is None:
        raise HsEnvError(f"{grid} has no cell {key!r}. If the grid has changed meanwhile, start `run` again.")
    ledger, folder = Ledger(out / LEDGER), out / RUNS / key
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{folder}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the process ends, even if it is killed
        if key in ledger.results():
            return
        begun, used = time.monotonic(), time.process_time()
        trained = train_or_resume(found.config, folder)
        spent = {"seconds": time.monotonic() - begun, "cpu_seconds": time.process_time() - used}
        place = {"corpus": found.corpus, "variant": found.variant, "number": found.number}
        ledger.append({"key": key, **place, **spent, **result_of(trained)})


def table(grid: Path = GRID, out: Path = OUT, published: Path = HERE / "published.toml") -> None:
    """Print the results of a grid as Markdown, and write them to table.md and table.csv.

    Args:
        grid: File of the grid.
        out: Folder of the ledger.
        published: File of the published results.
    """
    lines = summarise(load_grid(grid), Ledger(out / LEDGER).results(), load_published(published))
    text = to_markdown(lines)
    write_atomically(out / "table.md", text.encode())
    write_atomically(out / "table.csv", to_csv(lines).encode())
    print(text)


def figures(grid: Path = GRID, out: Path = OUT) -> None:
    """Draw the results of a grid: accuracy, learning curves, phrases per sentence, phrase lengths.

    Args:
        grid: File of the grid.
        out: Folder of the ledger; figures are written to its subfolder figures/.
    """
    for path in save_figures(load_grid(grid), Ledger(out / LEDGER).results(), out / "figures"):
        print(path)


def power(grid: Path = GRID, out: Path = OUT, variants: tuple[str, ...] = ()) -> None:
    """Print which differences from the plain LSTM the runs of a grid can detect with 80% power.

    Args:
        grid: File of the grid.
        out: Folder of the ledger.
        variants: Names of the variants to compare with the plain LSTM; all by default.
    """
    print(powers.to_markdown(powers.power_of(load_grid(grid), Ledger(out / LEDGER).results(), variants)))


def convert(ledger: tyro.conf.Positional[Path]) -> None:
    """Give the results of a ledger that an older version wrote the keys of today, so that they count as done.

    The old file stays beside it, with `.bak` after its name. Stop `run` before.

    Args:
        ledger: File of the ledger.
    """
    if not ledger.is_file():
        raise HsEnvError(f"There is no ledger {ledger}.")
    print(f"{Ledger(ledger).rewrite(rekeyed)} entries of {ledger} have a new key")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    commands = {"run": run, "cell": cell, "table": table, "figures": figures, "power": power, "convert": convert}
    try:
        tyro.extras.subcommand_cli_from_dict(commands, description=__doc__, args=arguments)
    except (HsEnvError, OSError) as error:
        raise SystemExit(f"reproduce: {error}") from None


if __name__ == "__main__":
    main()
