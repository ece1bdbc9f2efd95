"""Run the cells of a grid in processes of their own, here or on a cluster, and add their results to a ledger."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from hs_env.compute import prepare
from hs_env.corpora.loading import is_own, is_path
from hs_env.errors import HsEnvError
from hs_env.experiments.grid import Cell
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.result import is_result, result_of
from hs_env.storage import HISTORY, read_json, write_atomically
from hs_env.training import train_or_resume
from hs_env.training.config import ResolvedConfig
from hs_env.training.data import MissingVectorsError, corpus_of, digests_of
from hs_env.training.digests import DATA, check_data, check_digests
from hs_env.training.time_left import TimeLeft

WORKER = "hs_env.experiments.worker"
"""Module that runs one configuration."""
REFUSED: Final = 3
"""Exit status of a run that would fail again."""
RESULT = "result.json"
"""File of the result in the folder of a run."""


@dataclass(frozen=True)
class Ended:
    """How the process of a run ended.

    Attributes:
        result: Result of the run, or None.
        fault: What went wrong, or "".
        killed: Whether the process was killed, which says nothing about the run.
        final: Whether a second try would fail for the same reason.
    """

    result: dict[str, Any] | None
    fault: str = ""
    killed: bool = False
    final: bool = False


Launch = Callable[[ResolvedConfig, Path, threading.Event], Ended]
"""Function that runs a configuration in a folder, in a process of its own, and waits for its end. Once the event is
set, it ends the process."""

POLL_SECONDS = 0.2
"""Seconds between two checks of the event."""


def run_cells(
    cells: Sequence[Cell],
    ledger: Ledger,
    folder: Callable[[Cell], Path],
    jobs: int,
    console: Console,
    launch: Launch | None = None,
) -> list[str]:
    """Run the cells that have no result in the ledger.

    A stopped run continues from its last checkpoint. A run that fails, or whose process is killed, is tried once more,
    unless it would fail again (see `is_final`). The last failure is added to the ledger; a second kill
    is not, so the next call tries again. The other cells go on.
    An interrupt stops all runs. Only this process writes to the ledger.

    Args:
        cells: Cells to run.
        ledger: Ledger of their results.
        folder: Returns the folder of a cell's run; its log is beside it, with `.log` after its name.
        jobs: Number of processes at a time.
        console: Console that shows progress.
        launch: Runs one cell; by default in a process on this machine.

    Returns:
        What failed or was killed, one line per cell.

    Raises:
        HsEnvError: If data that a finished run has read have changed since.
    """
    done = ledger.results()
    missing = [cell for cell in cells if cell.key not in done]
    _check_data(cells, done, folder)
    console.print(f"{len(missing)} runs to do, {jobs} at a time; {len(cells) - len(missing)} are done", highlight=False)
    faults, stopped, left = [], threading.Event(), TimeLeft(enough=1)
    left.begin(len(missing))

    def attempt(cell: Cell) -> tuple[Cell, float, Ended]:
        begun, start = time.monotonic(), launch or launch_here
        ended = start(cell.config, folder(cell), stopped)
        if ended.result is None and not ended.final and not stopped.is_set():
            console.print(f"{_told(folder(cell), ended)}; it is tried once more", **_PLAIN)
            ended = start(cell.config, folder(cell), stopped)
        return cell, time.monotonic() - begun, ended

    with ThreadPoolExecutor(max(jobs, 1)) as pool:
        running = [pool.submit(attempt, cell) for cell in missing]
        try:
            for number, finished in enumerate(as_completed(running), 1):
                cell, seconds, ended = finished.result()
                left.update()
                _write(ledger, cell, ended, Path(f"{folder(cell)}.log"))
                good, told = ended.result is not None, _told(folder(cell), ended)
                faults += [] if good else [told]
                shown = f"{folder(cell).name} took {seconds:.0f} s" if good else told
                rest = f", {left}" if number < len(missing) else ""
                console.print(f"{number}/{len(missing)} {shown}{rest}", **_PLAIN)
        except BaseException as error:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):
                console.print("Stopped. Repeat the command to continue.")
            raise
    return faults


def _check_data(cells: Sequence[Cell], done: Mapping[str, Mapping[str, Any]], folder: Callable[[Cell], Path]) -> None:
    """Check that finished runs have read the same data: their digests are in the ledger or in the folders of the runs.

    Corpora from the user's own files are always checked, others if there are runs to do on them. Word vectors take long
    to load, so they are checked for one run of a corpus only.
    """
    wanted = {cell.config.corpus for cell in cells if cell.key not in done}
    digests: dict[tuple[str, str], dict[str, str]] = {}
    vectors: set[tuple[str, str]] = set()
    for cell in cells:
        config, name = cell.config, cell.config.corpus
        saved = done.get(cell.key, {}).get("data")
        in_folder = is_own(name) and (folder(cell) / RESULT).exists() and (folder(cell) / DATA).exists()
        if not (saved or in_folder) or (name not in wanted and not is_path(name)):
            continue
        if (name, config.model) not in digests:
            digests[name, config.model] = digests_of(config, vectors=False)
        found = digests[name, config.model]
        if (name, config.vectors) not in vectors:
            vectors.add((name, config.vectors))
            with suppress(MissingVectorsError):  # runs that are still to do will say so
                found = digests_of(config)
        if in_folder:
            check_data(folder(cell), f"corpus {name!r}", found, rewards=True)
        else:
            check_digests(saved or {}, found, f"corpus {name!r}", f"the run {cell.key!r} in the ledger", rewards=True)


def is_final(error: Exception) -> bool:
    """Return whether a run that failed with this error would fail again. Faults of files and the network may pass."""
    causes = [error]
    while (cause := causes[-1].__cause__) is not None and isinstance(cause, Exception):
        causes.append(cause)
    return isinstance(error, HsEnvError) and not any(isinstance(each, OSError) for each in causes)


def run_here(config: ResolvedConfig, folder: Path) -> dict[str, Any]:
    """Train or resume a run in this process, and return its result, which is saved in the folder too.

    Raises:
        HsEnvError: If the corpus has no test sentences, the result in the folder is damaged, or training raises it.
    """
    prepare(config.threads)
    begun, used = time.monotonic(), time.process_time()
    if is_own(config.corpus) and not corpus_of(config).counts["test"]:
        raise HsEnvError(f"The corpus {config.corpus!r} has no test sentences, which the table over runs needs.")
    trained, whole = train_or_resume(config, folder), time.process_time()  # waits if another process trains there
    if not (folder / RESULT).exists():
        result = result_of(trained)
        before = read_json(folder / HISTORY).get("cpu_seconds", 0.0)  # perhaps of other processes
        cpu_seconds = time.process_time() - min(used, whole - before)
        spent = {"seconds": time.monotonic() - begun, "cpu_seconds": cpu_seconds}
        content = json.dumps(spent | result, ensure_ascii=False, allow_nan=False)
        write_atomically(folder / RESULT, content.encode())
    try:
        result = read_json(folder / RESULT)
    except HsEnvError:
        result = {}
    if not is_result(result):
        raise HsEnvError(f"{folder / RESULT} is damaged. Remove it, and repeat the command.")
    return result


def launch_here(config: ResolvedConfig, folder: Path, stopped: threading.Event) -> Ended:
    """Run a configuration in its own process on this machine; see `Launch`."""
    log = Path(f"{folder}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        command = [sys.executable, "-m", WORKER, str(folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.STDOUT)
        try:
            assert process.stdin is not None
            with suppress(BrokenPipeError), process.stdin as given:  # it may have ended already
                given.write(json.dumps(config.to_json()).encode())
            while process.returncode is None:
                if stopped.is_set():
                    process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_SECONDS)
        except BaseException:
            process.kill()
            process.wait()
            raise
        state = process.returncode
    if state == 0:
        return Ended(read_json(folder / RESULT))
    if state < 0:
        return Ended(None, f"was killed by signal {-state}", killed=True)
    last = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
    fault = last or f"exit status {state}, and no message in {log}. Is the disk full?"
    return Ended(None, fault, final=state == REFUSED)


_PLAIN: dict[str, Any] = {"highlight": False, "soft_wrap": True, "markup": False}


def _told(folder: Path, ended: Ended) -> str:
    fault = ended.fault.rstrip(".")
    return f"{folder.name} {fault}" if ended.killed else f"{folder.name} failed: {fault}"


def _write(ledger: Ledger, cell: Cell, ended: Ended, log: Path) -> None:
    """Add a result to the ledger unless it is there, or a failure. A process that was killed leaves nothing."""
    if ended.result is not None:
        if cell.key not in ledger.results():
            ledger.append({"key": cell.key, **cell.place, **ended.result})
    elif not ended.killed:
        ledger.append({"key": cell.key, "error": ended.fault, "log": str(log)})
