"""Training in stages: epochs, the one that is best on dev, checkpoints, and the place in a run that seeds come from."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import torch
from rich.console import Console

from hs_env.compute import generator_for, seed_for
from hs_env.errors import HsEnvError
from hs_env.models import Classifier
from hs_env.models.classifier import ENCODER, FILE_NAME, Model
from hs_env.models.words import ContextualWords, FineTunedWords
from hs_env.storage import load_state, save_state, write_json
from hs_env.training.config import ResolvedConfig
from hs_env.training.data import TrainingData, training_batches
from hs_env.training.monitor import Monitor
from hs_env.types import SentenceBatch
from hs_env.vectors.contextual import ContextualVectors

HISTORY = "history.json"
CHECKPOINT = "checkpoint.safetensors"


class Stateful(Protocol):
    """What can be saved and go on from there."""

    def state_dict(self) -> dict[str, Any]:
        """Nested dicts and lists of tensors and JSON values."""

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Take over a state made by `state_dict`."""


@dataclass(frozen=True)
class Stage:
    """One stage of a run.

    Attributes:
        name: "warm", "pnet" or "joint".
        epochs: Greatest number of epochs.
        update: Learns from a batch; returns numbers to log.
        evaluate: Scores on dev, and examples as markdown.
        score: Name of the score that decides which epoch was best.
    """

    name: str
    epochs: int
    update: Callable[[SentenceBatch, torch.Generator], dict[str, float]]
    evaluate: Callable[[], tuple[dict[str, float], str]]
    score: str


@dataclass
class Progress:
    """Where a run stands: the next batch is `batch` of `epoch` of the stage number `stage`.

    Attributes:
        updates: Updates done in all.
        warm_updates: Those of the classifier in the warm start.
        joint_updates: Those of the classifier in joint training.
        waited: Epochs of this stage since the best one.
        best: Score of the best epoch of this stage; None before the stage's start is scored.
        scale: By what that epoch was scored: see `StagedTrainer.scale`.
        history: Every scored epoch, with the seconds since its process began to train.
    """

    stage: int = 0
    epoch: int = 0
    batch: int = 0
    updates: int = 0
    warm_updates: int = 0
    joint_updates: int = 0
    waited: int = 0
    best: float | None = None
    scale: dict[str, Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)


class StagedTrainer(ABC):
    """Goes through stages, each of which ends with the weights of its best epoch.

    Everything random in an update is seeded by the place of the update in the run. A checkpoint thus holds weights,
    optimisers and the place, and a run that goes on from one repeats an uninterrupted run bit for bit (on the same
    machine with the same number of threads).

    Args:
        config: What to train.
        data: What to train on.
        folder: The run's folder.
        console: Where progress is shown.

    Attributes:
        stages: The stages, in order.
        learned: What learns, by name: at the end of a stage it is as it was in the best epoch.
        adapted: What changes besides, by name, and is saved with it.
    """

    stages: tuple[Stage, ...]
    learned: Mapping[str, Stateful]
    adapted: Mapping[str, Stateful]

    def __init__(self, config: ResolvedConfig, data: TrainingData, folder: Path, console: Console) -> None:
        self.config, self.data, self.folder, self.console = config, data, folder, console
        self.progress = Progress()
        self._best: dict[str, Any] = {}
        self._begun = self._saved = monotonic()

    @abstractmethod
    def save_result(self) -> None:
        """Save what the run has made, but for its history."""

    def scale(self, stage: Stage) -> dict[str, Any] | None:
        """What the scores of a stage are measured by, where that changes: epochs of two scales are not compared."""
        return None

    # The run ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Train from where the run stands to the end, then save the result and the history; no checkpoint is left."""
        progress, batches = self.progress, -(-len(self.data.splits["train"]) // self.config.batch_size)
        self._begun = monotonic()
        with torch.random.fork_rng(), Monitor(self.folder, self.console, progress.updates) as monitor:
            while progress.stage < len(self.stages):
                stage = self.stages[progress.stage]
                monitor.stage(stage.name, stage.epochs * batches, progress.epoch * batches + progress.batch)
                self._run_stage(stage, monitor)
                progress.stage, progress.epoch, progress.batch = progress.stage + 1, 0, 0
                progress.waited, progress.best = 0, None
                self.save_checkpoint()
        self.save_result()
        updates = {"warm": progress.warm_updates, "joint": progress.joint_updates}
        write_json(self.folder / HISTORY, {"classifier_updates": updates, "epochs": progress.history})
        (self.folder / CHECKPOINT).unlink()

    def _run_stage(self, stage: Stage, monitor: Monitor) -> None:
        """The epochs of one stage; ends with the weights of the best one."""
        progress = self.progress
        if progress.best is None:
            self._score(stage, monitor)
        while progress.epoch < stage.epochs and progress.waited < self.config.patience:
            self._run_epoch(stage, monitor)
            progress.epoch, progress.batch = progress.epoch + 1, 0
            self._score(stage, monitor)
            self.save_checkpoint()
        for name, part in self.learned.items():
            part.load_state_dict(self._best[name])

    def _run_epoch(self, stage: Stage, monitor: Monitor) -> None:
        train, progress, seed = self.data.splits["train"], self.progress, self.config.seed
        batches = training_batches(train, self.config.batch_size, seed, stage.name, progress.epoch)
        for indices in batches[progress.batch :]:
            place = (stage.name, progress.epoch, progress.batch)
            torch.manual_seed(seed_for(seed, *place, "dropout"))
            metrics = stage.update(train.batch(indices), generator_for(seed, *place))
            progress.batch += 1
            progress.updates += 1
            monitor.update(progress.updates, metrics, len(indices))
            if monotonic() - self._saved > self.config.checkpoint_seconds:
                self.save_checkpoint()

    def _score(self, stage: Stage, monitor: Monitor) -> None:
        """Score on dev and remember the best epoch."""
        progress = self.progress
        scores, examples = stage.evaluate()
        score, scale = scores[stage.score], self.scale(stage)
        # On another scale than that of the best epoch the newer one counts.
        better = progress.best is None or scale != progress.scale or score > progress.best
        progress.waited = 0 if better else progress.waited + 1
        if better:
            progress.best, progress.scale = score, scale
            self._best = copy.deepcopy({name: part.state_dict() for name, part in self.learned.items()})
        place = {"stage": stage.name, "epoch": progress.epoch, "updates": progress.updates}
        progress.history.append({**place, "seconds": monotonic() - self._begun, **scores, "best": better})
        monitor.epoch(progress.updates, stage.name, progress.epoch, scores, better, examples)

    # What is saved ---------------------------------------------------------------------------------------------------

    def save_checkpoint(self) -> None:
        """Save all that the run needs to go on from here."""
        parts = {name: part.state_dict() for name, part in {**self.learned, **self.adapted}.items()}
        state = {"data": self.data.digest, "progress": asdict(self.progress), **parts, "best": self._best}
        save_state(self.folder / CHECKPOINT, "checkpoint", state)
        self._saved = monotonic()

    def load_checkpoint(self) -> None:
        """Go on from the last checkpoint; from the start if the run was stopped before its first."""
        if not (self.folder / CHECKPOINT).exists():
            return
        state = load_state(self.folder / CHECKPOINT, "checkpoint")
        if state["data"] != self.data.digest:
            raise HsEnvError(
                f"The corpus {self.config.corpus!r} has other words or labels than when this run began, or its word "
                "vectors another encoder. Bring the old ones back, or start a new run."
            )
        self.progress = Progress(**state["progress"])
        for name, part in {**self.learned, **self.adapted}.items():
            part.load_state_dict(state[name])
        self._best = state["best"]

    def save_classifier(self, model: Model) -> None:
        """Save `model` with the words and labels of this run, and the scores of the epoch that it is from."""
        kept = next(entry for entry in reversed(self.progress.history) if entry["best"])
        corpus = self.data.corpus
        vectors = self.data.vectors
        contextual = vectors if isinstance(vectors, ContextualVectors) else None
        if isinstance(model.words, FineTunedWords):  # what it reads is from now on as frozen as it is
            contextual = model.words.save(self.folder / ENCODER)
            model.words = ContextualWords.in_place_of(model.words)
        classifier = Classifier(model, self.data.vocabulary, corpus.labels, corpus.tokenisation, kept, contextual)
        classifier.save(self.folder / FILE_NAME)
