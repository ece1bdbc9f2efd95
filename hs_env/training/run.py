"""Runs on disk: start one, go on with one, load the result of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hs_env.agents import Agent, load_agent
from hs_env.compute import prepare
from hs_env.errors import HsEnvError
from hs_env.models import MODELS, Classifier, FlatClassifier, StructuredEncoder
from hs_env.training.config import ResolvedConfig, TrainConfig
from hs_env.training.data import TrainingData
from hs_env.training.flat import FlatTrainer
from hs_env.training.folders import (
    CONFIG,
    RECORD,
    begin_record,
    continue_record,
    new_folder,
    read_json,
    saved_config,
)
from hs_env.training.stages import HISTORY, StagedTrainer
from hs_env.training.trainer import AGENT, Trainer
from hs_env.vectors import WordVectors


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Where it lies.
        config: What was trained.
        classifier: The frozen classifier.
        agent: The trained P-Net; None for a classifier without structure.
        classifier_updates: Updates of the C-Net by stage, "warm" and "joint".
    """

    folder: Path
    config: ResolvedConfig
    classifier: Classifier
    agent: Agent | None
    classifier_updates: dict[str, int]

    def data(self, *read: str) -> TrainingData:
        """What it was trained on, with such vectors in the splits `read` as its classifier reads.

        Raises:
            HsEnvError: If the corpus has changed since.
        """
        data = TrainingData.load(self.config, self.classifier.contextual, read)
        if data.vocabulary != self.classifier.vocabulary or data.corpus.labels != self.classifier.labels:
            raise HsEnvError(
                f"The corpus {self.config.corpus!r} has other words or labels than when the run in {self.folder} was "
                "trained. Bring the old one back, or train again."
            )
        return data

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Load a finished run.

        Raises:
            HsEnvError: If the folder holds no run, or one that is not finished.
        """
        config = load_config(folder)
        prepare(config.threads)
        if not (folder / HISTORY).exists():
            raise HsEnvError(f"The run in {folder} is not finished. Go on with: hs-env train --resume {folder}")
        history = read_json(folder / HISTORY)
        if not isinstance(history, dict) or "classifier_updates" not in history:
            raise HsEnvError(f"{folder / HISTORY} does not say how often the classifier was updated. Was it edited?")
        classifier = Classifier.load(folder)
        agent = load_agent(folder / AGENT) if isinstance(classifier.model, StructuredEncoder) else None
        return cls(folder, config, classifier, agent, history["classifier_updates"])


def load_config(folder: Path) -> ResolvedConfig:
    """The resolved configuration saved with a run."""
    values = saved_config(folder, "hs-env train")
    try:
        return ResolvedConfig.from_json(values)
    except ValueError as error:
        raise HsEnvError(f"{folder / CONFIG}: {error}") from error


def train(config: TrainConfig, folder: Path | None = None, console: Console | None = None) -> Run:
    """Train from the start in a new folder.

    Args:
        config: What to train.
        folder: The run's folder; None is `runs/<corpus>-<date>-<time>`.
        console: Where progress is shown; None is standard error.

    Raises:
        HsEnvError: If the folder is not empty, or the configuration cannot be met.
    """
    folder, config = new_folder(folder, config.corpus), config.resolve()
    prepare(config.threads)
    data = TrainingData.load(config)
    console = console or Console(stderr=True)
    if isinstance(data.vectors, WordVectors):
        coverage = f"{data.vectors.type_coverage:.1%} of {len(data.vocabulary):,} words"
        console.print(f"{config.vectors} has {coverage}", markup=False)
    trainer = _trainer(config, data, folder, console)
    begin_record(folder, config.to_json())
    return _finish(trainer)


def resume(folder: Path, console: Console | None = None) -> Run:
    """Go on with a run that was stopped at any moment, to the weights it would have had without the stop."""
    config = load_config(folder)
    if (folder / HISTORY).exists():
        return Run.load(folder)
    prepare(config.threads)
    trainer = _trainer(config, TrainingData.load(config), folder, console or Console(stderr=True))
    trainer.load_checkpoint()
    continue_record(folder)
    return _finish(trainer)


def train_or_resume(config: TrainConfig, folder: Path, console: Console | None = None) -> Run:
    """Train in `folder`, or go on with the run that stands there, or load it if it is finished.

    Raises:
        HsEnvError: If the run there has another configuration, or `train` or `resume` raises it.
    """
    if not (folder / CONFIG).is_file():
        (folder / RECORD).unlink(missing_ok=True)  # a run that was killed between its first two files
        return train(config, folder, console)
    if load_config(folder) != config.resolve():
        raise HsEnvError(f"The run in {folder} has another configuration. Remove it, or choose another folder.")
    return resume(folder, console)


def _trainer(config: ResolvedConfig, data: TrainingData, folder: Path, console: Console) -> StagedTrainer:
    flat = issubclass(MODELS.get(config.model), FlatClassifier)
    return (FlatTrainer if flat else Trainer)(config, data, folder, console)


def _finish(trainer: StagedTrainer) -> Run:
    try:
        trainer.run()
    except KeyboardInterrupt:
        trainer.console.print(f"Stopped. Go on with: hs-env train --resume {trainer.folder}", markup=False)
        raise
    return Run.load(trainer.folder)
