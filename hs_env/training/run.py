"""Start, resume and load the runs of classifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from hs_env.agents import BASELINES, Agent, load_pair
from hs_env.compute import Device, find_device
from hs_env.corpora import SPLITS
from hs_env.corpora.spec import add_settings, take_settings
from hs_env.errors import HsEnvError
from hs_env.models import MODELS, Classifier, FlatClassifier, StructuredEncoder
from hs_env.registry import unknown_name
from hs_env.rewards import make_reward
from hs_env.shipped import CLASSIFIER
from hs_env.storage import StrPath
from hs_env.training.classifier_trainer import ClassifierTrainer
from hs_env.training.config import ResolvedConfig, TrainConfig
from hs_env.training.data import TrainingData, corpus_of
from hs_env.training.digests import check_data
from hs_env.training.flat import FlatTrainer
from hs_env.training.folders import read_history
from hs_env.training.run_kind import RunKind
from hs_env.training.trainer import Trainer


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Folder of the run.
        config: Configuration of the run.
        classifier: Frozen classifier.
        agent: Trained P-Net; None for a flat classifier.
        classifier_updates: Number of updates of the C-Net by stage, "warm" and "joint".
        history: One entry per evaluation on dev: stage, epoch, updates, scores, and whether it was the best so far.
        loaded: Classifier and agent as loaded from the folder; `dataclasses.replace` keeps them. None if unknown, so
            that those of the run count as others.
        noise: Probability of a typo in each word of the splits that are evaluated (see `hs_env.corpora.noise.noisy`).
            None: as in training. `dataclasses.replace` sets it.
    """

    folder: Path
    config: ResolvedConfig
    classifier: Classifier
    agent: Agent | None
    classifier_updates: dict[str, int]
    history: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    loaded: tuple[Classifier, Agent | None] | None = field(default=None, repr=False, compare=False)
    noise: float | None = None

    def data(self, *read: str) -> TrainingData:
        """Load the data of the run, with contextual vectors, if its classifier needs them, in the splits `read`.

        The initial word vectors are not loaded: the classifier holds its own.

        Raises:
            HsEnvError: If a split is unknown, the data cannot be loaded, or the corpus has changed.
        """
        for split in read:
            if split not in SPLITS:
                raise unknown_name("split", split, SPLITS)
        data = TrainingData.load(self.config, self.classifier.contextual, read, True, self.classifier.device)
        check_data(self.folder, f"corpus {self.config.corpus!r}", data.digests)
        if data.vocabulary != self.classifier.vocabulary or data.corpus.labels != self.classifier.labels:
            raise HsEnvError(
                f"The corpus {self.config.corpus!r} has other words or labels than when the run in {self.folder} was "
                "trained. Restore the old corpus, or train again."
            )
        if self.noise is None:
            return data
        variant = {"noise": f"{self.noise:g}"}
        noisy = replace(self.config, corpus=add_settings(take_settings(self.config.corpus, variant)[0], variant))
        return data.replaced(corpus_of(noisy), self.classifier, read)

    @property
    def scores(self) -> dict[str, float]:
        """Scores on dev of the kept epoch, such as `accuracy`, by name."""
        return self.classifier.dev_scores

    @property
    def is_own(self) -> bool:
        """Whether classifier and agent are those of the folder, rather than others that replace them."""
        return self.loaded is not None and (self.loaded[0] is self.classifier and self.loaded[1] is self.agent)

    @classmethod
    def load(cls, folder: StrPath, device: Device = "auto") -> Run:
        """Load a finished run to a device (see `RunKind.load`)."""
        return _KIND.load(folder, device)


def _new_trainer(config: ResolvedConfig, folder: Path, console: Console) -> ClassifierTrainer:
    kind = MODELS.get(config.model)
    flat = issubclass(kind, FlatClassifier)
    if issubclass(kind, StructuredEncoder):  # errors in names come before the data is loaded, which may take minutes
        make_reward(config.reward, **config.reward_parameters).check_problem(kind.problem)
        BASELINES.get(config.warm_start)
    data = TrainingData.load(config, device=find_device(config.device))
    return (FlatTrainer if flat else Trainer)(config, data, folder, console)


def _load_result(folder: Path, config: ResolvedConfig, history: Any, device: Device) -> Run:
    updates, epochs = read_history(history, folder)
    classifier, agent = load_pair(folder / CLASSIFIER, device)  # not a run that ships under the name of the folder
    return Run(folder, config, classifier, agent, updates, epochs, (classifier, agent))


_KIND = RunKind("hs-env train", "corpus", TrainConfig.resolve, ResolvedConfig.from_json, _new_trainer, _load_result)
train, resume, train_or_resume, load_config = _KIND.train, _KIND.resume, _KIND.train_or_resume, _KIND.load_config
