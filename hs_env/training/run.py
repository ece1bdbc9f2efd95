"""Runs of classifiers on disk: start, resume and load them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from hs_env.agents import Agent, load_agent
from hs_env.errors import HsEnvError
from hs_env.models import MODELS, Classifier, FlatClassifier, StructuredEncoder
from hs_env.training.classifier_trainer import ClassifierTrainer
from hs_env.training.config import TrainConfig
from hs_env.training.data import TrainingData
from hs_env.training.flat import FlatTrainer
from hs_env.training.folders import RunKind
from hs_env.training.stages import HISTORY
from hs_env.training.trainer import AGENT, Trainer


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
    config: TrainConfig
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
        return _CLASSIFIER.load(folder)


def load_config(folder: Path) -> TrainConfig:
    """Load the resolved configuration of the run in a folder."""
    return _CLASSIFIER.load_config(folder)


def train(config: TrainConfig, folder: Path | None = None, console: Console | None = None) -> Run:
    """Train from the start in a new folder.

    Args:
        config: Configuration of the run.
        folder: Folder of the run; by default `runs/<corpus>-<date>-<time>`.
        console: Console that shows progress; by default standard error.

    Raises:
        HsEnvError: If the folder is not empty, or the configuration is not possible.
    """
    return _CLASSIFIER.train(config, folder, config.corpus, console)


def resume(folder: Path, console: Console | None = None) -> Run:
    """Resume a run that was stopped at any moment. It ends with the weights of an uninterrupted run."""
    return _CLASSIFIER.resume(folder, console)


def train_or_resume(config: TrainConfig, folder: Path, console: Console | None = None) -> Run:
    """Train in `folder`, or resume the run in it, or load it if it is finished.

    Raises:
        HsEnvError: If the run there has another configuration, or `train` or `resume` raises it.
    """
    return _CLASSIFIER.train_or_resume(config, folder, config.corpus, console)


def _new_trainer(config: TrainConfig, folder: Path, console: Console) -> ClassifierTrainer:
    flat = issubclass(MODELS.get(config.model), FlatClassifier)
    return (FlatTrainer if flat else Trainer)(config, TrainingData.load(config), folder, console)


def _load_result(folder: Path, config: TrainConfig, history: Any) -> Run:
    if not isinstance(history, dict) or "classifier_updates" not in history:
        raise HsEnvError(f"{folder / HISTORY} does not say how often the classifier was updated. Was it edited?")
    classifier = Classifier.load(folder)
    agent = load_agent(folder / AGENT) if isinstance(classifier.model, StructuredEncoder) else None
    return Run(folder, config, classifier, agent, history["classifier_updates"])


_CLASSIFIER = RunKind("hs-env train", TrainConfig.from_json, _new_trainer, _load_result)
