"""Training in stages: epochs, evaluation, the best weights, checkpoints. Independent of what is trained."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, process_time
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from rich.console import Console

from hs_env import ranks
from hs_env.compute import kept_generators
from hs_env.errors import HsEnvError
from hs_env.models.saved import LOADING_ERRORS, check_optimizer, is_out_of_memory
from hs_env.storage import HISTORY, load_state, save_state, write_json
from hs_env.training.monitor import Monitor
from hs_env.training.progress import Progress, check_progress, progress_of

CHECKPOINT = "checkpoint.safetensors"

_PAUSE = 20
"""Least time between two checkpoints within an epoch, in times of the seconds that writing one took."""

Callback = Callable[[Mapping[str, Any]], object]
"""Function that is called with each new entry of the history, after the checkpoint of its epoch. It may raise an error
to stop."""

Unit = TypeVar("Unit")
"""What one update trains on, such as the indices of a batch."""


class Stateful(Protocol):
    """An object whose state can be saved and restored."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state as nested dicts and lists of tensors and JSON values."""

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Restore a state that `state_dict` returned."""


@dataclass(frozen=True)
class Stage:
    """One stage of a run.

    Attributes:
        name: Name, such as "joint".
        epochs: Maximum number of epochs.
        update: Trains on one batch and returns numbers to log. `StagedTrainer.update` calls it.
        evaluate: Returns scores on dev, and examples as markdown.
        score: Name of the score that selects the best epoch.
        lower_is_better: Whether the lowest score is the best one.
        evaluate_start: Whether the weights at the start of the stage are evaluated too, as epoch 0.
        min_epochs: Number of epochs before which patience does not end the stage.
        about: What the stage does, for the console.
        cost: Rough time of an update, relative to other stages, for the time left before the stage has begun.
    """

    name: str
    epochs: int
    update: Callable[..., dict[str, float]]
    evaluate: Callable[[], tuple[dict[str, float], str]]
    score: str
    lower_is_better: bool = False
    evaluate_start: bool = True
    min_epochs: int = 0
    about: str = ""
    cost: float = 1.0


class StagedTrainer(ABC, Generic[Unit]):
    """Runs stages in order. Each stage ends with the weights of its best epoch.

    A subclass seeds all randomness of an update from the position of the update in the run. A checkpoint therefore
    holds only states and the position. A resumed run repeats an uninterrupted one bit for bit on the same machine
    with the same number of threads.

    Args:
        folder: Folder of the run.
        console: Console that shows progress.
        device: Device that it trains on.
        checkpoint_seconds: Seconds between two checkpoints within an epoch, more if writing takes over a twentieth of
            them; 0 writes one after each update.
        patience: Number of epochs without a better score that ends a stage.

    Attributes:
        unit: Plural of what an update reads, shown with the speed.
        stages: Stages, in order.
        learned: Objects that a stage restores to their best epoch at its end, by name.
        adapted: Objects that only checkpoints save and restore, by name.
        data_name: Name of the data in error messages, such as "text 'ptb'".
        data_digests: Digests of the data by name, saved with the run. A run resumes only on the same data.
        history_types: Types of the values that each entry of the history must have, by name.
        data_digest: Digest that checkpoints hold, which covers the encoder of contextual word vectors too.
        callback: Called after each evaluation, or None.
        parent: Run that this one continues, for its record; empty if it starts from the beginning.
    """

    callback: Callback | None = None
    parent: Mapping[str, Any] = MappingProxyType({})
    unit: ClassVar[str]
    stages: tuple[Stage, ...]
    learned: Mapping[str, Stateful]
    adapted: Mapping[str, Stateful]
    data_name: str
    data_digests: Mapping[str, str]
    history_types: ClassVar[Mapping[str, type]] = {"best": bool}
    data_digest: str

    def __init__(
        self,
        folder: Path,
        console: Console,
        device: torch.device,
        checkpoint_seconds: float,
        patience: float = math.inf,
    ) -> None:
        self.folder, self.device = folder, device
        self.console = Console(quiet=True) if ranks.rank() else console
        self._checkpoint_seconds, self._pause, self._patience = checkpoint_seconds, checkpoint_seconds, patience
        self.progress = Progress()
        self._best: dict[str, Any] = {}
        self._restored = False
        self._begun = self._saved = monotonic()
        self._cpu_begun = process_time()

    # What a subclass defines -----------------------------------------------------------------------------------------

    @abstractmethod
    def max_updates(self, stage: Stage) -> int:
        """Return the maximum number of updates of a stage."""

    @abstractmethod
    def units(self, stage: Stage, epoch: int) -> Sequence[Unit]:
        """Return the units of an epoch in order, one per update. Equal arguments give equal units."""

    @abstractmethod
    def update(self, stage: Stage, unit: Unit) -> tuple[dict[str, float], int]:
        """Seed all randomness of one update and do it.

        Returns:
            Numbers to log, and how many sentences or characters the update has read.
        """

    @abstractmethod
    def save_result(self) -> None:
        """Save the result of the run, except for its history."""

    def history(self) -> Any:
        """Return the JSON value of the history file: by default all entries."""
        return self.progress.history

    def begin(self, stage: Stage) -> None:
        """Prepare for a stage, also for one that is resumed; nothing by default."""

    def summary(self) -> str:
        """Return what to show about data and model before training; nothing by default."""
        return ""

    def scale(self, stage: Stage) -> dict[str, Any] | None:
        """Return what defines the scale of a stage's score, if it changes. Scores on two scales are not comparable."""
        return None

    def history_entry(self, stage: Stage, scores: dict[str, float], better: bool) -> dict[str, Any]:
        """Return the entry of an evaluation in the history.

        Its seconds count from the start of this process. `training` holds the means of the numbers that updates since
        the last evaluation have logged, each over those that have logged it.
        """
        progress = self.progress
        place = {"stage": stage.name, "epoch": progress.epoch, "updates": progress.updates}
        means = {name: total / progress.counts[name] for name, total in progress.sums.items()}
        return {**place, "seconds": monotonic() - self._begun, **scores, "best": better, "training": means}

    # The run ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Train to the end of the last stage, save result and history, and delete the checkpoint."""
        progress = self.progress
        self._begun, self._cpu_begun = monotonic(), process_time() - progress.cpu_seconds
        monitor = Monitor(None if ranks.rank() else self.folder, self.console, progress.updates, self.unit)
        with kept_generators(self.device), monitor:
            while progress.stage < len(self.stages):
                stage = self.stages[progress.stage]
                done = progress.updates_by_stage.get(stage.name, 0)
                later = sum(each.cost * self.max_updates(each) for each in self.stages[progress.stage + 1 :])
                monitor.stage(stage.name, self.max_updates(stage), done, stage.about, stage.cost, later)
                self._run_stage(stage, monitor)
                progress.stage, progress.epoch, progress.batch = progress.stage + 1, 0, 0
                progress.waited, progress.best = 0, None
                self.save_checkpoint()
        ranks.from_first(self._finish)

    def _finish(self) -> None:
        self.save_result()
        write_json(self.folder / HISTORY, self.history())
        (self.folder / CHECKPOINT).unlink(missing_ok=True)

    def _run_stage(self, stage: Stage, monitor: Monitor) -> None:
        progress = self.progress
        self.begin(stage)
        if progress.best is None and stage.evaluate_start:
            self._evaluate(stage, monitor)
            self._tell()
        while progress.epoch < stage.epochs and (progress.waited < self._patience or progress.epoch < stage.min_epochs):
            self._run_epoch(stage, monitor)
            progress.epoch, progress.batch = progress.epoch + 1, 0
            self._evaluate(stage, monitor)
            self.save_checkpoint()
            self._tell()
        for name, part in self.learned.items():
            self._restore(part, self._best, name)

    def _run_epoch(self, stage: Stage, monitor: Monitor) -> None:
        progress = self.progress
        for unit in self.units(stage, progress.epoch)[progress.batch :]:
            try:
                metrics, read = self.update(stage, unit)
            except LOADING_ERRORS as error:
                if not self._restored or isinstance(error, HsEnvError) or is_out_of_memory(error):
                    raise
                raise self._unfit(error) from error  # the state that was just restored cannot be used
            self._restored = False
            progress.batch += 1
            progress.updates += 1
            progress.updates_by_stage[stage.name] = progress.updates_by_stage.get(stage.name, 0) + 1
            for name, value in metrics.items():
                progress.sums[name] = progress.sums.get(name, 0.0) + value
                progress.counts[name] = progress.counts.get(name, 0) + 1
            monitor.update(progress.updates, metrics, read)
            if monotonic() - self._saved > self._pause:
                self.save_checkpoint()

    def _evaluate(self, stage: Stage, monitor: Monitor) -> None:
        """Evaluate on dev and keep the weights if they are the best so far."""
        progress = self.progress
        scores, examples = ranks.from_first(stage.evaluate)
        score, scale = scores[stage.score] * (-1 if stage.lower_is_better else 1), self.scale(stage)
        # If the scale has changed since the best epoch, the newer epoch is kept.
        better = progress.best is None or scale != progress.scale or score > progress.best
        progress.waited = 0 if better else progress.waited + 1
        if better:
            progress.best, progress.scale = score, scale
            self._best = copy.deepcopy({name: part.state_dict() for name, part in self.learned.items()})
        progress.cpu_seconds = process_time() - self._cpu_begun
        entry = self.history_entry(stage, scores, better)
        progress.history.append(entry)
        progress.sums, progress.counts = {}, {}
        number = entry.get("epoch", progress.updates)  # a history without epochs is counted in updates
        monitor.epoch(progress.updates, stage.name, number, scores, better, examples)

    def _tell(self) -> None:
        """Call the callback with a copy of the newest entry of the history."""
        if self.callback is not None and not ranks.rank():
            self.callback(dict(self.progress.history[-1]))

    # Checkpoints -----------------------------------------------------------------------------------------------------

    def save_checkpoint(self) -> None:
        """Save everything that resuming from here needs."""
        if ranks.rank():
            return
        self.progress.cpu_seconds = process_time() - self._cpu_begun
        parts = {name: part.state_dict() for name, part in {**self.learned, **self.adapted}.items()}
        state = {"data": self.data_digest, "progress": asdict(self.progress), **parts, "best": self._best}
        begun = monotonic()
        save_state(self.folder / CHECKPOINT, "checkpoint", state)
        self._saved = monotonic()
        if self._checkpoint_seconds:
            self._pause = max(self._checkpoint_seconds, _PAUSE * (self._saved - begun))

    def load_checkpoint(self) -> None:
        """Restore the last checkpoint, if the run was not stopped before its first one.

        Raises:
            HsEnvError: If the checkpoint is damaged or from another version, or the data has changed.
        """
        path = self.folder / CHECKPOINT
        if not path.exists():
            self.console.print("There is no checkpoint: training starts from the beginning.", highlight=False)
            return
        try:
            state = load_state(path, "checkpoint")
        except HsEnvError as error:
            raise HsEnvError(f"{error} To start the run from the beginning, remove the file.") from error
        if state.get("data") != self.data_digest:
            raise HsEnvError(
                f"The {self.data_name} or the encoder of its word vectors has changed since this run began. Restore it "
                "as it was, or start a new run."
            )
        try:
            self.progress, self._best = progress_of(state["progress"]), state["best"]
            check_progress(self.progress, len(self.stages), self.history_types)
            if not isinstance(self._best, dict):
                raise TypeError("the best weights are no mapping")
            if self.progress.best is not None and not self.learned.keys() <= self._best.keys():
                raise ValueError("the best weights are missing")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._unfit(error) from error
        for name, part in {**self.learned, **self.adapted}.items():
            self._restore(part, state, name)
        self._restored = True

    def _restore(self, part: Stateful, states: Mapping[str, Any], name: str) -> None:
        """Restore a part of the run from its saved state, which may be damaged or come from another version."""
        try:
            part.load_state_dict(states[name])
            for optimizer in (part, *getattr(part, "__dict__", {}).values()):
                if isinstance(optimizer, torch.optim.Optimizer):
                    check_optimizer(optimizer)
        except LOADING_ERRORS as error:
            if is_out_of_memory(error):
                raise
            raise self._unfit(error) from error

    def _unfit(self, error: Exception) -> HsEnvError:
        reason = str(error).rstrip(".")
        return HsEnvError(
            f"{self.folder / CHECKPOINT} is damaged or from another version of hs-env: {reason}. Start a new run."
        )
