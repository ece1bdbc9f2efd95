"""Share code between the trainers of classifiers: batches of sentences, seeds, and saving."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from hs_env.compute import generator_for, seed_for
from hs_env.models import MODELS, Classifier
from hs_env.models.classifier import ENCODER, FILE_NAME, Model
from hs_env.models.words import FineTunedWords
from hs_env.training.config import ResolvedConfig
from hs_env.training.data import TrainingData, training_batches
from hs_env.training.parent import Parent
from hs_env.training.stages import Stage, StagedTrainer
from hs_env.vectors import WordVectors
from hs_env.vectors.contextual import ContextualVectors


class ClassifierTrainer(StagedTrainer[Tensor]):
    """Trains on batches of sentences in the stages "warm", "pnet" and "joint". A unit is the indices of a batch.

    Args:
        config: Configuration of the run.
        data: Corpus, vocabulary and word vectors.
        folder: Folder of the run.
        console: Console that shows progress.
    """

    unit = "sentences"

    def __init__(self, config: ResolvedConfig, data: TrainingData, folder: Path, console: Console) -> None:
        super().__init__(folder, console, config.checkpoint_seconds, config.patience)
        self.config, self.data = config, data
        self.data_name, self.data_digests, self.data_digest = f"corpus {config.corpus!r}", data.digests, data.digest
        self.origin = None if config.init_from is None else Parent.load(Path(config.init_from))
        self.parent = {} if self.origin is None else self.origin.record()
        self.updates_per_epoch = -(-len(data.splits["train"]) // config.batch_size)

    def max_updates(self, stage: Stage) -> int:
        """Return the maximum number of updates of a stage."""
        lengths, shorter = self.data.splits["train"].lengths, min(stage.epochs, self.config.curriculum_epochs)
        read = [int((lengths <= self.longest(stage, epoch)).sum()) for epoch in range(shorter)]
        updates = sum(-(-sentences // self.config.batch_size) for sentences in read)
        return updates + (stage.epochs - shorter) * self.updates_per_epoch

    def units(self, stage: Stage, epoch: int) -> Sequence[Tensor]:
        """Return the batches of an epoch, each as indices into the training split."""
        split, size, longest = self.data.splits["train"], self.config.batch_size, self.longest(stage, epoch)
        return training_batches(split, size, self.config.seed, stage.name, epoch, longest=longest)

    def longest(self, stage: Stage, epoch: int) -> int:
        """Return the largest number of words that the curriculum allows in an epoch, at least that of one sentence.

        It grows in equal steps over the first epochs of the run, where each stage counts with its maximum of epochs.
        """
        lengths, epochs = self.data.splits["train"].lengths, self.config.curriculum_epochs
        begun = epoch + sum(earlier.epochs for earlier in self.stages[: self.stages.index(stage)])
        start, end = max(self.config.curriculum_words, int(lengths.min())), int(lengths.max())
        return end if begun >= epochs else min(end, start + (end - start) * begun // epochs)

    def update(self, stage: Stage, unit: Tensor) -> tuple[dict[str, float], int]:
        """Train on one batch. Dropout and the stage's generator get separate seeds."""
        place = (stage.name, self.progress.epoch, self.progress.batch)
        torch.manual_seed(seed_for(self.config.seed, *place, "dropout"))
        batch = self.data.splits["train"].batch(unit)
        return stage.update(batch, generator_for(self.config.seed, *place)), len(unit)

    def new_model(self) -> Model:
        """Build the model with new weights, or with those of the run to start from."""
        model: Model = self.data.new_model(MODELS.get(self.config.model), self.config)
        if self.origin is not None:
            self.origin.give_weights(model, self.data)
        return model

    def summary(self) -> str:
        """Return how many words have a vector."""
        if not isinstance(self.data.vectors, WordVectors):
            return ""
        coverage = f"{self.data.vectors.type_coverage:.1%} of {len(self.data.vocabulary):,} words"
        return f"{self.config.vectors} has {coverage}"

    def history(self) -> Any:
        """Return the number of updates of the C-Net per stage, with the parent's, and the evaluation of every epoch."""
        before = {} if self.origin is None else self.origin.updates
        updates = {
            name: before.get(name, 0) + self.progress.updates_by_stage.get(name, 0) for name in ("warm", "joint")
        }
        return {"classifier_updates": updates, "epochs": self.progress.history}

    def save_classifier(self, model: Model) -> None:
        """Save a classifier with the words and labels of this run and the scores of the kept epoch.

        Equal runs save equal bytes, so the seconds of the epoch are left out, as are the numbers of its updates.
        """
        best = next(entry for entry in reversed(self.progress.history) if entry["best"])
        kept = {name: value for name, value in best.items() if name not in ("seconds", "training")}
        vectors = self.data.vectors
        contextual = vectors if isinstance(vectors, ContextualVectors) else None
        if isinstance(model.words, FineTunedWords):  # the saved classifier uses a frozen copy of its encoder
            contextual = model.words.save(self.folder / ENCODER)
        labels, tokenisation = self.data.corpus.labels, self.data.corpus.tokenisation
        classifier = Classifier(model, self.data.vocabulary, labels, tokenisation, kept, contextual)
        classifier.save(self.folder / FILE_NAME)
