"""Run the cells of a grid in processes of their own, and add their results to a ledger."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console

from hs_env.experiments.grid import Cell
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.result import result_of
from hs_env.training import train_or_resume

WORKER = "hs_env.experiments.worker"
"""Module that runs one cell."""


def run_cells(
    cells: Sequence[Cell], ledger: Ledger, folder: Callable[[Cell], Path], jobs: int, console: Console
) -> list[str]:
    """Run the cells that have no result in the ledger.

    A stopped run continues from its last checkpoint. A failure is added to the ledger, and the other cells go on. A
    process that was killed leaves nothing in the ledger.

    Args:
        cells: Cells to run.
        ledger: Ledger of their results.
        folder: Returns the folder of a cell's run; its log is beside it, with `.log` after its name.
        jobs: Number of processes at a time.
        console: Console that shows progress.

    Returns:
        What failed or was killed, one line per cell.
    """
    done = ledger.results()
    missing = [cell for cell in cells if cell.key not in done]
    console.print(f"{len(missing)} runs to do, {jobs} at a time; {len(cells) - len(missing)} are done", highlight=False)
    faults = []
    with ThreadPoolExecutor(max(jobs, 1)) as pool:
        running = [pool.submit(_launch, cell, ledger, folder(cell)) for cell in missing]
        try:
            for number, finished in enumerate(as_completed(running), 1):
                good, line = finished.result()
                faults += [] if good else [line]
                shown = f"{number}/{len(missing)} {line}"
                console.print(shown, highlight=False, soft_wrap=True, markup=False)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return faults


def run_cell(cell: Cell, ledger: Ledger, folder: Path) -> None:
    """Train or resume a cell in this process, and add its result to the ledger unless there is one."""
    if cell.key in ledger.results():
        return
    begun, used = time.monotonic(), time.process_time()
    trained = train_or_resume(cell.config, folder)  # waits if another process trains there
    spent = {"seconds": time.monotonic() - begun, "cpu_seconds": time.process_time() - used}
    if cell.key not in ledger.results():
        ledger.append({"key": cell.key, **cell.place, **spent, **result_of(trained)})


def _launch(cell: Cell, ledger: Ledger, folder: Path) -> tuple[bool, str]:
    """Run a cell in its own process; return whether it has finished, and a line that says how it ended."""
    log, begun = Path(f"{folder}.log"), time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        command = [sys.executable, "-m", WORKER, str(ledger.path), str(folder)]
        given = json.dumps({**cell.place, "config": cell.config.to_json()}).encode()
        state = subprocess.run(command, input=given, stdout=file, stderr=subprocess.STDOUT).returncode
    if state == 0:
        return True, f"{folder.name} took {time.monotonic() - begun:.0f} s"
    if state < 0:
        return False, f"{folder.name} was killed by signal {-state}; run it again"
    last = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
    ledger.append({"key": cell.key, "error": last or "no message", "exit_status": state, "log": str(log)})
    return False, f"{folder.name} failed: {last}"
