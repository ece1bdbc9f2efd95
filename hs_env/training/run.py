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
from hs_env.training.config import ResolvedConfig, TrainConfig
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
        """Load a finished run: see `RunKind.load`."""
        return _KIND.load(folder)


def _new_trainer(config: ResolvedConfig, folder: Path, console: Console) -> ClassifierTrainer:
    flat = issubclass(MODELS.get(config.model), FlatClassifier)
    return (FlatTrainer if flat else Trainer)(config, TrainingData.load(config), folder, console)


def _load_result(folder: Path, config: ResolvedConfig, history: Any) -> Run:
    if not isinstance(history, dict) or "classifier_updates" not in history:
        raise HsEnvError(f"{folder / HISTORY} does not say how often the classifier was updated. Was it edited?")
    classifier = Classifier.load(folder)
    agent = load_agent(folder / AGENT) if isinstance(classifier.model, StructuredEncoder) else None
    return Run(folder, config, classifier, agent, history["classifier_updates"])


_KIND = RunKind("hs-env train", "corpus", TrainConfig.resolve, ResolvedConfig.from_json, _new_trainer, _load_result)
train, resume, train_or_resume, load_config = _KIND.train, _KIND.resume, _KIND.train_or_resume, _KIND.load_config
