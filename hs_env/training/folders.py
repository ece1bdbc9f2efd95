"""The folder of a run: make one, lock it while a process trains in it, and say what is there instead."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.console import Console

from hs_env import ranks
from hs_env.errors import HsEnvError
from hs_env.shipped import CLASSIFIER, shipped_language_models, shipped_runs
from hs_env.storage import HISTORY, check_folder, what_is
from hs_env.training.digests import DATA

CONFIG, RECORD, LOCK = "config.json", "record.json", ".lock"


def no_run(folder: Path) -> str:
    """Say what is at the path of a run instead of a folder with a configuration."""
    if not folder.exists() and str(folder) in {*shipped_runs(), *shipped_language_models()}:
        return (
            f"{folder} ships with hs-env without its configuration and the records of its training, so it is not the "
            f"folder of a run. `hs-env hub card {folder}` prints its figures."
        )
    if not folder.exists():
        return f"{folder} is not the folder of a run: it does not exist."
    if folder.is_file():
        with folder.open("rb") as file:
            found = what_is(file.read(1000)) or "a file"
        return f"{folder} is {found}, not the folder of a run."
    if _only_leftovers(folder) and (folder / RECORD).exists():
        return (
            f"{folder} is not the folder of a run that can be resumed: it was stopped before its {CONFIG} was written, "
            f"so nothing has been trained. Start it again in the same folder, with --out {folder}."
        )
    if (folder / CLASSIFIER).is_file():
        return f"{folder} is not the folder of a run: it has a classifier and no {CONFIG}. Load it with `hs_env.load`."
    return f"{folder} is not the folder of a run: it has no {CONFIG}."


def _only_leftovers(folder: Path) -> bool:
    """Tell whether a folder holds nothing but files of a process that was stopped before it began to train.

    Such a process has made the lock. Files of these names without a lock are the user's.
    """
    try:
        names = {path.name for path in folder.iterdir()}
    except FileNotFoundError:  # another process that has trained nothing has just removed it
        return True
    left = {name for name in names if name.startswith(".") and name.endswith(".tmp")}
    return names <= (left | {LOCK, RECORD, DATA} if LOCK in names else left)


def new_folder(folder: Path | None, name: str) -> Path:
    """Make `folder`, or by default `runs/<name>-<date>-<time>`, which no other process has made.

    Raises:
        HsEnvError: If `folder` is not empty.
    """
    if folder is not None:
        check_empty(folder)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    stem = f"{Path(re.sub('[:|%]', '-', name)).stem[:60]}-{datetime.now():%Y%m%d-%H%M%S}"
    for number in count(1):
        made = Path("runs") / (stem if number == 1 else f"{stem}-{number}")
        with suppress(FileExistsError):
            made.mkdir(parents=True)
            break
    return made


def check_empty(folder: Path) -> None:
    """Refuse a folder that holds anything but the files of a process that was stopped before it began to train.

    Raises:
        HsEnvError: If it does.
    """
    check_folder(folder)
    if folder.exists() and not _only_leftovers(folder):
        raise HsEnvError(f"{folder} is not empty. Resume its run (--resume {folder}) or choose another folder (--out).")


@contextmanager
def alone(folder: Path, console: Console | None = None, keep: bool = False) -> Iterator[None]:
    """Lock a folder while this process trains in it; the lock ends with the process, however that ends.

    Args:
        folder: Folder of the run.
        console: Console that says that another process trains there; this one then waits. None raises an error.
        keep: Whether the folder stays if nothing has been trained in it, because it was there before.

    Raises:
        HsEnvError: If another process trains there, or the folder holds a link, which would lead out of it.
    """
    if ranks.rank():  # the process of rank 0 holds the lock
        yield
        return
    for path in folder.iterdir():
        if path.is_symlink() and path.suffix != ".tmp":
            raise HsEnvError(
                f"{path} is a link. A run writes only into its own folder: replace the link by what it points to, or "
                "remove it."
            )
    lock = FileLock(folder / LOCK)
    _acquire(lock, folder, console)
    try:
        for path in folder.glob(".*.tmp"):  # left by a process that was killed
            path.unlink(missing_ok=True)
        yield
    finally:
        _leave_no_trace(folder, keep)  # while the folder is locked, so that no other process writes there meanwhile
        lock.release()
        if os.name == "nt":  # Windows removes no file that is open
            _leave_no_trace(folder, keep)


def _acquire(lock: FileLock, folder: Path, console: Console | None) -> None:
    """Lock a folder, or wait for it if there is a console that can say so."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        message = f"Another process trains in {folder}."
        if console is None:
            raise HsEnvError(f"{message} Wait until it ends, or choose another folder.") from None
        console.print(f"{message} Waiting until it ends.", markup=False, highlight=False, soft_wrap=True)
        while not (lock.is_locked and (folder / LOCK).exists()):
            lock.release()
            folder.mkdir(parents=True, exist_ok=True)  # the other process removes it if it has trained nothing
            with suppress(FileNotFoundError):
                lock.acquire()


def _leave_no_trace(folder: Path, keep: bool) -> None:
    """Remove what this process has made if nothing has been trained in the folder, and the folder unless it is kept."""
    if not (folder / CONFIG).exists():
        with suppress(OSError):
            for name in (RECORD, DATA, LOCK):  # without the lock, the others would be files of the user
                (folder / name).unlink(missing_ok=True)
            if not keep:
                folder.rmdir()


@contextmanager
def saving(console: Console | None = None) -> Iterator[None]:
    """Print a warning, by default on standard error, instead of an error if a file cannot be written."""
    try:
        yield
    except OSError as error:
        console = console or Console(stderr=True)
        console.print(f"Warning: the result is not saved: {error}", markup=False, highlight=False, soft_wrap=True)


def read_history(history: Any, folder: Path) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Return the numbers of updates of a classifier by stage and its evaluations on dev, from the history of its run.

    Raises:
        HsEnvError: If the history in this folder is damaged.
    """
    found = history if isinstance(history, dict) else {}
    updates, epochs = found.get("classifier_updates"), found.get("epochs", [])
    counts = [updates.get(stage) for stage in ("warm", "joint")] if isinstance(updates, dict) else [None]
    if not isinstance(updates, dict) or not all(type(count) is int and count >= 0 for count in counts):
        raise HsEnvError(f"{folder / HISTORY} lacks the number of updates of the classifier. Was it edited?")
    if not isinstance(epochs, list) or not all(isinstance(each, dict) for each in epochs):
        raise HsEnvError(f"{folder / HISTORY} is not what hs-env wrote. Was it edited?")
    return updates, epochs
