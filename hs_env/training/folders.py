"""Folders of runs: begin, resume, finish and load a run of any kind."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from filelock import FileLock, Timeout
from rich.console import Console

from hs_env import ranks
from hs_env.compute import Device, find_device, multiplying, prepare
from hs_env.errors import HsEnvError
from hs_env.storage import HISTORY, StrPath, read_json, what_is, write_json
from hs_env.training.digests import DATA, check_data
from hs_env.training.record import describe
from hs_env.training.stages import Callback, StagedTrainer

CONFIG, RECORD, LOCK = "config.json", "record.json", ".lock"

_KINDS: Final = {
    "corpus": ("a classifier", "`hs-env evaluate`, `segment`, `report` or `neighbours`"),
    "text": ("a language model", "`hs-env lm evaluate` or `hs-env lm sample`"),
}
"""Kinds of runs and their commands, by the field of the configuration that names the data."""

Q = TypeVar("Q")
"""A configuration as a user writes it."""
C = TypeVar("C", bound=Any)
"""A resolved configuration."""
R = TypeVar("R")
"""The loaded result of a run."""


@dataclass(frozen=True)
class RunKind(Generic[Q, C, R]):
    """A kind of run: how to begin, resume and load one.

    `C` has `threads`, `precision`, `device`, `to_json`, `located` (absolute paths) and `foreign_code` (code outside of
    hs-env).

    Attributes:
        command: Command that starts a run, such as "hs-env train".
        data_field: Field of the configuration that names the data, such as "corpus".
        resolve: Fills in the defaults of a configuration.
        parse: Converts JSON values to a configuration.
        new_trainer: Loads the data of a configuration and returns a trainer for a folder, with a console.
        load_result: Loads the result of a finished run from its folder, its configuration and its history to a device.
    """

    command: str
    data_field: str
    resolve: Callable[[Q], C]
    parse: Callable[[dict[str, Any]], C]
    new_trainer: Callable[[C, Path, Console], StagedTrainer[Any]]
    load_result: Callable[[Path, C, Any, Device], R]

    def train(
        self,
        config: Q,
        folder: StrPath | None = None,
        console: Console | None = None,
        callback: Callback | None = None,
    ) -> R:
        """Train from the start in a new folder.

        Args:
            config: Configuration of the run.
            folder: Folder of the run; by default `runs/<data>-<date>-<time>`.
            console: Console that shows progress; by default standard error.
            callback: Called after each evaluation with its entry of the history: stage, epoch, updates and scores on
                dev. If it raises an error, training stops, and the run can be resumed.

        Raises:
            HsEnvError: If the folder is not empty, or the configuration is not possible.
        """
        resolved = self.resolve(config).located()
        find_device(resolved.device)  # an unknown one is an error before anything is written
        prepare(resolved.threads)
        name = getattr(config, self.data_field)
        made = ranks.from_first(lambda: new_folder(None if folder is None else Path(folder), name))
        with alone(made), multiplying(resolved.precision):
            return self._begin(resolved, made, console or Console(stderr=True), callback)

    def resume(
        self,
        folder: StrPath,
        console: Console | None = None,
        trust: bool = False,
        callback: Callback | None = None,
        device: Device | None = None,
    ) -> R:
        """Resume a run that was stopped at any moment, or load it if it is finished.

        A resumed run ends with the weights of an uninterrupted run.

        Args:
            folder: Folder of the run.
            console: Console that shows progress; by default standard error.
            trust: Whether code outside of hs-env that the run's configuration names, such as the reward `module:name`,
                is imported and executed.
            callback: See `train`.
            device: Device to continue on; None is that of the configuration.

        Raises:
            HsEnvError: If the folder holds no run, the data has changed, there is no such device, or the run names code
                that is not trusted.
        """
        folder = Path(folder)
        config = self.load_config(folder)
        config = config if device is None else replace(config, device=str(device))
        find_device(config.device)
        if (folder / HISTORY).exists():
            return self.load(folder, config.device)
        if config.foreign_code and not trust:
            raise HsEnvError(
                f"The run in {folder} executes code outside of hs-env: {config.foreign_code}. If you trust its origin, "
                "resume it with --trust."
            )
        prepare(config.threads)
        with alone(folder), multiplying(config.precision):
            return self._continue(config, folder, console or Console(stderr=True), callback)

    def train_or_resume(
        self, config: Q, folder: StrPath, console: Console | None = None, callback: Callback | None = None
    ) -> R:
        """Train in `folder`, or resume the run in it, or load it if it is finished.

        If another process trains there, this one waits until it ends.

        Raises:
            HsEnvError: If the run there has another configuration, or `train` or `resume` raises it.
        """
        ranks.require_one("A run that may have begun before")
        folder, resolved = Path(folder), self.resolve(config).located()
        console = console or Console(stderr=True)
        if (folder / CONFIG).is_file() and (folder / HISTORY).exists():
            self._check_same(folder, resolved)
            return self.load(folder, resolved.device)
        find_device(resolved.device)
        prepare(resolved.threads)
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder, console), multiplying(resolved.precision):
            if not (folder / CONFIG).is_file():
                return self._begin(resolved, folder, console, callback)
            self._check_same(folder, resolved)
            if (folder / HISTORY).exists():  # another process has finished it
                return self.load(folder, resolved.device)
            config = replace(self.load_config(folder), device=resolved.device)
            return self._continue(config, folder, console, callback)

    def load(self, folder: StrPath, device: Device = "auto") -> R:
        """Load a finished run to a device, whichever it was trained on.

        Raises:
            HsEnvError: If the folder holds no run, or one that is not finished, or there is no such device.
        """
        device = find_device(device)
        folder = Path(folder)
        config = self.load_config(folder)
        prepare(config.threads)
        if not (folder / HISTORY).exists():
            raise HsEnvError(f"The run in {folder} is not finished. Resume it with: {self.command} --resume {folder}")
        return self.load_result(folder, config, read_json(folder / HISTORY), device)

    def load_config(self, folder: StrPath) -> C:
        """Load the configuration of the run in a folder.

        Raises:
            HsEnvError: If there is none, or it is not valid.
        """
        folder = Path(folder)
        path = folder / CONFIG
        if not path.is_file():
            raise HsEnvError(f"{_no_run(folder)} Start one with: {self.command}")
        values = read_json(path)
        if not isinstance(values, dict):
            raise HsEnvError(f"{path} holds no configuration of a run.")
        if self.data_field not in values:
            for field, (kind, commands) in _KINDS.items():
                if field in values:
                    raise HsEnvError(f"The run in {folder} is one of {kind}: use {commands}.")
        try:
            return self.parse(values)
        except ValueError as error:
            raise HsEnvError(f"{path}: {error}") from error

    def _check_same(self, folder: Path, resolved: C) -> None:
        if self.load_config(folder).located() != resolved:
            raise HsEnvError(f"The run in {folder} has another configuration. Remove it, or choose another folder.")

    def _begin(self, resolved: C, folder: Path, console: Console, callback: Callback | None) -> R:
        """Train from the start in a folder that is locked."""
        ranks.from_first(lambda: check_empty(folder))
        trainer = self.new_trainer(resolved, folder, console)
        if summary := trainer.summary():
            wrapped = not trainer.console.is_terminal
            trainer.console.print(summary, markup=False, highlight=False, soft_wrap=wrapped)

        def write() -> None:
            write_json(folder / RECORD, [{**describe(trainer.device), **trainer.parent}])
            write_json(folder / DATA, trainer.data_digests)
            write_json(folder / CONFIG, resolved.to_json())

        ranks.from_first(write)
        return self._finish(trainer, resolved, callback)

    def _continue(self, config: C, folder: Path, console: Console, callback: Callback | None) -> R:
        """Continue the run in a folder that is locked."""
        trainer = self.new_trainer(config, folder, console)
        check_data(folder, trainer.data_name, trainer.data_digests)
        trainer.load_checkpoint()
        records = read_json(folder / RECORD) if (folder / RECORD).exists() else []
        if not isinstance(records, list):
            raise HsEnvError(f"{folder / RECORD} holds no list of processes. Was it edited?")
        ranks.from_first(lambda: write_json(folder / RECORD, [*records, describe(trainer.device)]))
        return self._finish(trainer, config, callback)

    def _finish(self, trainer: StagedTrainer[Any], config: C, callback: Callback | None) -> R:
        trainer.callback = callback
        try:
            trainer.run()
        except KeyboardInterrupt:
            trust = " --trust" if config.foreign_code else ""
            resume = f"{self.command} --resume {trainer.folder}{trust}"
            trainer.console.print(f"Stopped. Resume with: {resume}", markup=False)
            raise
        except ranks.LostProcessError as error:
            resume = f"{self.command} --resume {trainer.folder}"
            raise type(error)(f"{error} Resume under torchrun with any number of processes: {resume}") from error
        return self.load(trainer.folder, trainer.device)


def _no_run(folder: Path) -> str:
    """Say what is at the path of a run instead of a folder with a configuration."""
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
    return f"{folder} is not the folder of a run: it has no {CONFIG}."


def _only_leftovers(folder: Path) -> bool:
    """Tell whether a folder holds nothing but files of a process that was stopped before it began to train."""
    left = (LOCK, RECORD, DATA)
    return all(path.name in left or path.suffix == ".tmp" for path in folder.iterdir())


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
    if folder.exists() and not folder.is_dir():
        raise HsEnvError(f"{folder} is a file. Choose another folder (--out).")
    if folder.exists() and not _only_leftovers(folder):
        raise HsEnvError(f"{folder} is not empty. Resume its run (--resume {folder}) or choose another folder (--out).")


@contextmanager
def alone(folder: Path, console: Console | None = None) -> Iterator[None]:
    """Lock a folder while this process trains in it; the lock ends with the process, however that ends.

    Args:
        folder: Folder of the run.
        console: Console that says that another process trains there; this one then waits. None raises an error.

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
        _leave_no_trace(folder)  # while the folder is locked, so that no other process writes there meanwhile
        lock.release()
        if os.name == "nt":  # Windows removes no file that is open
            _leave_no_trace(folder)


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


def _leave_no_trace(folder: Path) -> None:
    """Remove the folder if nothing has been trained in it."""
    if not (folder / CONFIG).exists():
        with suppress(OSError):
            for name in (LOCK, RECORD, DATA):
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()


@contextmanager
def saving(console: Console | None = None) -> Iterator[None]:
    """Print a warning, by default on standard error, instead of an error if a file cannot be written."""
    try:
        yield
    except OSError as error:
        console = console or Console(stderr=True)
        console.print(f"Warning: the result is not saved: {error}", markup=False, highlight=False, soft_wrap=True)
