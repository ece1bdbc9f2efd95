"""Start, resume and load the runs of classifiers."""

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
        folder: Folder of the run.
        config: Configuration of the run.
        classifier: Frozen classifier.
        agent: Trained P-Net; None for a flat classifier.
        classifier_updates: Number of updates of the C-Net by stage, "warm" and "joint".
    """

    folder: Path
    config: ResolvedConfig
    classifier: Classifier
    agent: Agent | None
    classifier_updates: dict[str, int]

    def data(self, *read: str) -> TrainingData:
        """Load the data of the run, with contextual vectors, if its classifier needs them, in the splits `read`.

        Raises:
            HsEnvError: If the data cannot be loaded, or the words or labels of the corpus have changed.
        """
        data = TrainingData.load(self.config, self.classifier.contextual, read)
        if data.vocabulary != self.classifier.vocabulary or data.corpus.labels != self.classifier.labels:
            raise HsEnvError(
                f"The corpus {self.config.corpus!r} has other words or labels than when the run in {self.folder} was "
                "trained. Restore the old corpus, or train again."
            )
        return data

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Load a finished run (see `RunKind.load`)."""
        return _KIND.load(folder)


def _new_trainer(config: ResolvedConfig, folder: Path, console: Console) -> ClassifierTrainer:
    flat = issubclass(MODELS.get(config.model), FlatClassifier)
    return (FlatTrainer if flat else Trainer)(config, TrainingData.load(config), folder, console)


def _load_result(folder: Path, config: ResolvedConfig, history: Any) -> Run:
    if not isinstance(history, dict) or "classifier_updates" not in history:
        raise HsEnvError(f"{folder / HISTORY} lacks the number of updates of the classifier. Was it edited?")
    classifier = Classifier.load(folder)
    agent = load_agent(folder / AGENT) if isinstance(classifier.model, StructuredEncoder) else None
    return Run(folder, config, classifier, agent, history["classifier_updates"])


_KIND = RunKind("hs-env train", "corpus", TrainConfig.resolve, ResolvedConfig.from_json, _new_trainer, _load_result)
train, resume, train_or_resume, load_config = _KIND.train, _KIND.resume, _KIND.train_or_resume, _KIND.load_config
