"""Folders of runs: begin, resume, finish and load a run of any kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Generic, TypeVar

from filelock import FileLock, Timeout
from rich.console import Console

from hs_env.compute import prepare
from hs_env.errors import HsEnvError
from hs_env.storage import write_json
from hs_env.training.record import describe
from hs_env.training.stages import HISTORY, StagedTrainer

CONFIG, RECORD, LOCK = "config.json", "record.json", ".lock"

Q = TypeVar("Q")
"""A configuration as a user writes it."""
C = TypeVar("C", bound=Any)
"""A resolved configuration, with `threads` and `to_json`."""
R = TypeVar("R")
"""The loaded result of a run."""


@dataclass(frozen=True)
class RunKind(Generic[Q, C, R]):
    """A kind of run: how to begin, resume and load one.

    Attributes:
        command: Command that starts a run, such as "hs-env train".
        data_field: Field of the configuration that names the data, such as "corpus".
        resolve: Fills in the defaults of a configuration.
        parse: Converts JSON values to a configuration.
        new_trainer: Loads the data of a configuration and returns a trainer for a folder, with a console.
        load_result: Loads the result of a finished run from its folder, its configuration and its history.
    """

    command: str
    data_field: str
    resolve: Callable[[Q], C]
    parse: Callable[[dict[str, Any]], C]
    new_trainer: Callable[[C, Path, Console], StagedTrainer[Any]]
    load_result: Callable[[Path, C, Any], R]

    def train(self, config: Q, folder: Path | None = None, console: Console | None = None) -> R:
        """Train from the start in a new folder.

        Args:
            config: Configuration of the run.
            folder: Folder of the run; by default `runs/<data>-<date>-<time>`.
            console: Console that shows progress; by default standard error.

        Raises:
            HsEnvError: If the folder is not empty, or the configuration is not possible.
        """
        resolved = self.resolve(config)
        prepare(resolved.threads)
        folder = new_folder(folder, getattr(config, self.data_field))
        with alone(folder):
            check_empty(folder)
            trainer = self.new_trainer(resolved, folder, console or Console(stderr=True))
            if summary := trainer.summary():
                trainer.console.print(summary, markup=False, highlight=False, soft_wrap=True)
            write_json(folder / RECORD, [describe()])
            write_json(folder / CONFIG, resolved.to_json())
            return self._finish(trainer)

    def resume(self, folder: Path, console: Console | None = None) -> R:
        """Resume a run that was stopped at any moment, or load it if it is finished.

        A resumed run ends with the weights of an uninterrupted run.

        Raises:
            HsEnvError: If the folder holds no run, or the data has changed.
        """
        config = self.load_config(folder)
        if (folder / HISTORY).exists():
            return self.load(folder)
        prepare(config.threads)
        with alone(folder):
            trainer = self.new_trainer(config, folder, console or Console(stderr=True))
            trainer.load_checkpoint()
            write_json(folder / RECORD, [*read_json(folder / RECORD), describe()])
            return self._finish(trainer)

    def train_or_resume(self, config: Q, folder: Path, console: Console | None = None) -> R:
        """Train in `folder`, or resume the run in it, or load it if it is finished.

        Raises:
            HsEnvError: If the run there has another configuration, or `train` or `resume` raises it.
        """
        if not (folder / CONFIG).is_file():
            (folder / RECORD).unlink(missing_ok=True)  # left by a run that was killed between its first two files
            return self.train(config, folder, console)
        if self.load_config(folder) != self.resolve(config):
            raise HsEnvError(f"The run in {folder} has another configuration. Remove it, or choose another folder.")
        return self.resume(folder, console)

    def load(self, folder: Path) -> R:
        """Load a finished run.

        Raises:
            HsEnvError: If the folder holds no run, or one that is not finished.
        """
        config = self.load_config(folder)
        prepare(config.threads)
        if not (folder / HISTORY).exists():
            raise HsEnvError(f"The run in {folder} is not finished. Resume it with: {self.command} --resume {folder}")
        return self.load_result(folder, config, read_json(folder / HISTORY))

    def load_config(self, folder: Path) -> C:
        """Load the configuration of the run in a folder.

        Raises:
            HsEnvError: If there is none, or it is not valid.
        """
        path = folder / CONFIG
        if not path.is_file():
            raise HsEnvError(f"{folder} is not the folder of a run: it has no {CONFIG}. Start one with: {self.command}")
        values = read_json(path)
        if not isinstance(values, dict):
            raise HsEnvError(f"{path} holds no configuration of a run.")
        try:
            return self.parse(values)
        except ValueError as error:
            raise HsEnvError(f"{path}: {error}") from error

    def _finish(self, trainer: StagedTrainer[Any]) -> R:
        try:
            trainer.run()
        except KeyboardInterrupt:
            trainer.console.print(f"Stopped. Resume with: {self.command} --resume {trainer.folder}", markup=False)
            raise
        return self.load(trainer.folder)


def new_folder(folder: Path | None, name: str) -> Path:
    """Make `folder`, or by default `runs/<name>-<date>-<time>`, which no other process has made.

    Raises:
        HsEnvError: If `folder` is not empty.
    """
    if folder is not None:
        check_empty(folder)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    stem = f"{Path(name.replace(':', '-')).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    for number in count(1):
        made = Path("runs") / (stem if number == 1 else f"{stem}-{number}")
        with suppress(FileExistsError):
            made.mkdir(parents=True)
            break
    return made


def check_empty(folder: Path) -> None:
    """Refuse a folder that holds anything but a lock and files that a killed process left half written.

    Raises:
        HsEnvError: If it does.
    """
    if folder.exists() and any(path.name != LOCK and path.suffix != ".tmp" for path in folder.iterdir()):
        raise HsEnvError(f"{folder} is not empty. Resume its run (--resume {folder}) or choose another folder (--out).")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock a folder while this process trains in it; the lock ends with the process, however that ends.

    Raises:
        HsEnvError: If another process trains there.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise HsEnvError(f"Another process trains in {folder}. Wait until it ends, or choose another folder.") from None
    try:
        for path in folder.glob(".*.tmp"):  # left by a process that was killed
            path.unlink(missing_ok=True)
        yield
    finally:
        lock.release()
        if not (folder / CONFIG).exists():  # nothing has been trained: leave no trace
            with suppress(OSError):
                (folder / LOCK).unlink(missing_ok=True)
                folder.rmdir()


def read_json(path: Path) -> Any:
    """Return the JSON value in a file.

    Raises:
        HsEnvError: If it is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise HsEnvError(f"{path} is not readable JSON: {error}. Was it copied whole?") from error
