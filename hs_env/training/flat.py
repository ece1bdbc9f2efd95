"""Train a flat classifier, which takes no actions, as a C-Net is trained."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from hs_env import ranks
from hs_env.compute import kept_generators, seed_for
from hs_env.metrics.scores import flat_scores, nested_examples, nested_scores
from hs_env.models import FlatClassifier, NestedClassifier
from hs_env.render import to_text
from hs_env.training.classifier_trainer import ClassifierTrainer
from hs_env.training.config import ResolvedConfig
from hs_env.training.data import TrainingData
from hs_env.types import SentenceBatch


class FlatTrainer(ClassifierTrainer):
    """Trains a flat classifier under the same conditions as a C-Net, for a fair comparison.

    Word vectors, batches, optimiser, learning rates, epochs, dropout, clipping, slow copy and model selection on dev
    are those of a C-Net. The stages are "warm" and "joint", since there is no P-Net.

    Args:
        config: Configuration of the run.
        data: Corpus, vocabulary and word vectors.
        folder: Folder of the run.
        console: Console that shows progress.
    """

    def __init__(self, config: ResolvedConfig, data: TrainingData, folder: Path, console: Console) -> None:
        super().__init__(config, data, folder, console)
        with kept_generators(seed=seed_for(config.seed, "weights")):
            model = self.new_model()
        assert isinstance(model, FlatClassifier)
        if isinstance(model, NestedClassifier) and model.rate.has_target:
            ranks.require_one("A classifier whose boundary rate has a target (`--rate-weight 0` removes it)")
        self.classifier = self.optimizer(model)
        self.learned, self.adapted = {"learner": self.classifier}, {}
        by_stage, scores = {name: partial(self._update, name) for name in ("warm", "joint")}, self._scores
        about = f"the classifier learns, at a learning rate of {config.learning_rate:g}"
        warm = self.stage(
            "warm", config.warm_epochs, by_stage["warm"], scores, "log_likelihood", (), about, self.warm_cost
        )
        about = f"it continues to learn, at {config.joint_learning_rate:g}, as a C-Net in joint training"
        joint = self.stage("joint", config.joint_epochs, by_stage["joint"], scores, "log_likelihood", (warm,), about)
        self.stages = (warm, joint)

    def _update(self, stage: str, batch: SentenceBatch, generator: torch.Generator) -> dict[str, float]:
        joint = self.rate_factor(self.stages[-1]) * self.config.joint_learning_rate
        rate = self.config.learning_rate if stage == "warm" else joint
        annealed = self._anneal()
        metrics = self.classifier.update(rate, batch.labels, batch)
        return annealed | {f"c_net/{name}": value for name, value in metrics.items()}

    def _anneal(self) -> dict[str, float]:
        """Adapt the classifier to the number of epochs so far, and return what was set."""
        annealed: dict[str, float] = {}
        for model in (self.classifier.fast, self.classifier.slow):
            annealed = model.anneal(self.progress.updates / self.updates_per_epoch)
        return annealed

    def _scores(self) -> tuple[dict[str, float], str]:
        model, dev = self.classifier.slow, self.data.splits["dev"]
        if not isinstance(model, NestedClassifier):
            return flat_scores(model, dev, self.class_weights), ""
        shown = nested_examples(model, *self.data.examples())
        return nested_scores(model, dev, self.class_weights), "\n\n".join(to_text(sentence) for sentence in shown)

    def save_result(self) -> None:
        """Save the slow copy."""
        self.save_classifier(self.classifier.settled())
