"""What is common to runs of classifiers and of language models: begin, resume, finish and load one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from rich.console import Console

from hs_env import ranks
from hs_env.compute import Device, find_device, isolated, learning, prepare
from hs_env.errors import HsEnvError, expand, path_text
from hs_env.parameters import plain_values
from hs_env.storage import HISTORY, StrPath, read_json, write_json
from hs_env.training.digests import DATA, check_data
from hs_env.training.folders import CONFIG, RECORD, alone, check_empty, new_folder, no_run
from hs_env.training.record import describe
from hs_env.training.stages import Callback, StagedTrainer

_KINDS: Final = {
    "corpus": ("a classifier", "`hs-env evaluate`, `segment`, `report` or `neighbours`"),
    "text": ("a language model", "`hs-env lm evaluate` or `hs-env lm sample`"),
}
"""Kinds of runs and their commands, by the field of the configuration that names the data."""

IMMATERIAL: Final = ("data_dir", "threads", "device", "checkpoint_seconds")
"""Fields of a configuration that do not affect the result of a run."""

Q = TypeVar("Q")
"""A configuration as a user writes it."""
C = TypeVar("C", bound=Any)
"""A resolved configuration."""
R = TypeVar("R")
"""The loaded result of a run."""


@dataclass(frozen=True)
class RunKind(Generic[Q, C, R]):
    """A kind of run: how to begin, resume and load one.

    `C` has `threads`, `precision`, `device`, `data_dir`, `checkpoint_seconds`, `to_json`, `located` (absolute paths)
    and `foreign_code` (code outside of hs-env).

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

    @isolated
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
        name = getattr(config, self.data_field)
        keep = folder is not None and _path(folder).exists()
        made = ranks.from_first(lambda: new_folder(None if folder is None else _path(folder), name))
        with learning(resolved.precision, resolved.threads), alone(made, keep=keep):
            return self._begin(resolved, made, console or Console(stderr=True), callback)

    @isolated
    def resume(
        self,
        folder: StrPath,
        console: Console | None = None,
        *,
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
        folder = _path(folder)
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
        with learning(config.precision, config.threads), alone(folder):
            return self._continue(config, folder, console or Console(stderr=True), callback)

    @isolated
    def train_or_resume(
        self, config: Q, folder: StrPath, console: Console | None = None, callback: Callback | None = None
    ) -> R:
        """Train in `folder`, or resume the run in it, or load it if it is finished.

        If another process trains there, this one waits until it ends. A run may continue with other values of the
        fields of `IMMATERIAL`.

        Raises:
            HsEnvError: If the run there has another configuration, or `train` or `resume` raises it.
        """
        ranks.require_one("A run that may have begun before")
        folder, resolved = _path(folder), self.resolve(config).located()
        console = console or Console(stderr=True)
        if (folder / CONFIG).is_file() and (folder / HISTORY).exists():
            self._check_same(folder, resolved)
            return self.load(folder, resolved.device)
        find_device(resolved.device)
        keep = folder.exists()
        try:
            check_empty(folder)
        except HsEnvError:
            if not (folder / CONFIG).is_file():  # asked last: another process may begin at this moment
                raise
        folder.mkdir(parents=True, exist_ok=True)
        with learning(resolved.precision, resolved.threads), alone(folder, console, keep):
            if not (folder / CONFIG).is_file():
                return self._begin(resolved, folder, console, callback)
            self._check_same(folder, resolved)
            if (folder / HISTORY).exists():  # another process has finished it
                return self.load(folder, resolved.device)
            return self._continue(resolved, folder, console, callback)

    @isolated
    def load(self, folder: StrPath, device: Device = "auto") -> R:
        """Load a finished run to a device, whichever it was trained on.

        Raises:
            HsEnvError: If the folder holds no run, or one that is not finished, or there is no such device.
        """
        device = find_device(device)
        folder = _path(folder)
        config = self.load_config(folder)
        prepare(0)
        if not (folder / HISTORY).exists():
            raise HsEnvError(f"The run in {folder} is not finished. Resume it with: {self.command} --resume {folder}")
        return self.load_result(folder, config, read_json(folder / HISTORY), device)

    def load_config(self, folder: StrPath) -> C:
        """Load the configuration of the run in a folder.

        Raises:
            HsEnvError: If there is none, or it is not valid.
        """
        folder = _path(folder)
        path = folder / CONFIG
        if not path.is_file():
            raise HsEnvError(f"{no_run(folder)} Start one with: {self.command}")
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
        if _compared(self.load_config(folder).located()) != _compared(resolved):
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
        check_data(folder, trainer.data_name, trainer.data_digests, rewards=True)
        trainer.load_checkpoint()
        if self.load_config(folder) != config:  # such as another data_dir
            ranks.from_first(lambda: write_json(folder / CONFIG, config.to_json()))
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


def _compared(config: Any) -> dict[str, Any]:
    """Return the fields that must be equal to continue a run. Paths inside `data_dir` count from there."""
    values, folder = plain_values(config), f"{config.data_dir}{os.sep}"
    texts = {name: value.replace(folder, "") for name, value in values.items() if isinstance(value, str)}
    return {**values, **texts, **dict.fromkeys(IMMATERIAL)}


def _path(folder: StrPath) -> Path:
    return expand(path_text(folder, "The folder of a run"))
