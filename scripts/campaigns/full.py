"""Let the disk run full at a write of a command, each time another one, then make room and repeat the command.

While the disk is full, the command must end with one error that names the file, or warn. It must leave no half written
and no temporary file. The repeated command must leave what an uninterrupted one leaves.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import os
import random
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from campaign import Campaign
from jobs import JOBS, Job, differences, faults, folder_for, prepare, result
from rich.console import Console

from hs_env import cli
from hs_env.errors import HsEnvError
from hs_env.experiments.grid import load_grid
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.runner import Ended, run_cells, run_here

KINDS: Final = ("train", "lm", "evaluate", "report", "cell", "table")


def cell(words: list[str]) -> None:
    """Run the first cell of a grid in this process, as `hs-env sweep` does in another one."""
    grid, out = map(Path, words)
    first = load_grid(grid)[0]
    try:
        ledger, quiet = Ledger(out / "ledger.jsonl"), Console(quiet=True)
        run_cells([first], ledger, lambda _: out / "cells" / first.key, 1, quiet, lambda *run: Ended(run_here(*run)))
    except (HsEnvError, OSError) as error:
        raise SystemExit(f"hs-env: {error}") from error


PROGRAMS: Final[dict[str, Callable[[list[str]], None]]] = {"hs-env": cli.main, "cell": cell}


class Disk:
    """A disk that holds one folder and has room for a number of writes.

    Attributes:
        folder: The folder.
        room: Number of writes that succeed; all later ones fail.
        writes: Number of writes so far.
    """

    def __init__(self, folder: Path, room: float = float("inf")) -> None:
        self.folder, self.room, self.writes = folder, room, 0
        self._open = io.open

    def open(self, file: Any, mode: str = "r", buffering: int = -1, *arguments: Any, **named: Any) -> Any:
        """Open a file as `open` does; writes into the folder are counted, and fail once the disk is full."""
        written = not isinstance(file, int) and set(mode) & set("wax+")
        if not written or not Path(os.fsdecode(file)).is_relative_to(self.folder):
            return self._open(file, mode, buffering, *arguments, **named)
        self.write(os.fsdecode(file))  # a new file takes room in the folder
        raw = _File(self, file, mode)
        if buffering == 0:
            return raw
        binary = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return binary if "b" in mode else io.TextIOWrapper(binary, named.get("encoding"), named.get("errors"))

    def write(self, *name: str) -> None:
        """Count a write, and fail if the disk is full. The error names the file only where the system does."""
        self.writes += 1
        if self.writes > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *name)


class _File(io.FileIO):
    def __init__(self, disk: Disk, file: Any, mode: str) -> None:
        super().__init__(file, mode.replace("b", "").replace("t", ""))
        self._disk = disk

    def write(self, content: Any) -> int:
        self._disk.write()
        return super().write(content)


def run(words: list[str], disk: Disk) -> tuple[int, str]:
    """Run a command with files on a disk; return its exit code and error output."""
    error, code = io.StringIO(), 0
    with (
        patch.object(builtins, "open", disk.open),
        patch.object(io, "open", disk.open),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(error),
    ):
        try:
            PROGRAMS[words[0]](words[1:])
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(bool(stop.code))
            print("" if isinstance(stop.code, int) else stop.code, file=error)
        except BaseException:
            code = -1
            traceback.print_exc(file=error)
    return code, error.getvalue()


def full(job: Job, folder: Path, place: Path, room: int) -> Iterator[str]:
    """Run a job on a disk with little room, then repeat it with room; yield what is wrong before the repetition."""
    code, error = run(job.words(folder, place), Disk(folder, room))
    said = [line for line in error.splitlines() if "No space left on device" in line]
    errors = [line for line in said if not line.startswith("Warning: ")]
    if code not in (0, 1) or "Traceback" in error or not said or not all(str(folder) in line for line in said):
        yield f"exit code {code}: {error[-1500:]}"
    if len(errors) != code:
        yield f"{len(errors)} errors: {error[-1500:]}"
    yield from faults(folder)
    if left := [path.name for path in folder.rglob("*.tmp")]:
        yield f"temporary files are left: {', '.join(left)}"
    code, error = run(job.words(folder, place), Disk(folder))
    if code:
        yield f"cannot be repeated: {error[-1500:]}"


Trial = tuple[str, int]
"""Name of a job, and number of writes before the disk is full."""


def campaign(
    place: Path, kinds: Sequence[str], choose: Callable[[list[Trial]], Iterable[Trial]]
) -> Iterator[dict[str, Any]]:
    """Yield findings.

    Args:
        place: Empty folder.
        kinds: Names of jobs.
        choose: Chooses the trials from all possible ones.
    """
    prepare(place)
    finished, folder = place / "finished" / "run", place / "folder"
    if any(JOBS[kind].needs_run for kind in kinds):
        run(JOBS["train"].words(finished.parent, place), Disk(place))
    whole, writes = {}, {}
    for kind in kinds:
        disk = Disk(folder)
        folder_for(JOBS[kind], folder, finished)
        run(JOBS[kind].words(folder, place), disk)
        whole[kind], writes[kind] = result(folder), disk.writes
        print(f"{kind}: {disk.writes} writes")
        shutil.rmtree(folder)
    for kind, room in choose([(name, room) for name in kinds for room in range(writes[name])]):
        folder_for(JOBS[kind], folder, finished)
        found = [*full(JOBS[kind], folder, place, room)]
        if found or (found := [each for each in (differences(whole[kind], result(folder)),) if each]):
            yield {"kind": kind, "room": room, "writes": writes[kind], "found": "; ".join(found)}
        shutil.rmtree(folder)


def main() -> int:
    """Run the campaign: trials in random order, until the time or `--times` is used up, or all are done."""
    chosen = Campaign("full", __doc__, kinds=KINDS)

    def choose(trials: list[Trial]) -> Iterator[Trial]:
        random.Random(chosen.first).shuffle(trials)
        return (trial for trial, _ in zip(trials, chosen.trials(), strict=False))

    with tempfile.TemporaryDirectory() as place:
        for finding in campaign(Path(place), chosen.kinds, choose):
            chosen.report(**finding)
    return chosen.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
