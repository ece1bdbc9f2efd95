"""Share code between the trainers of classifiers: batches of sentences, seeds, and saving."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from hs_env import ranks
from hs_env.compute import generator_for, making_on, seed_for
from hs_env.corpora.encoded import EncodedSplit
from hs_env.errors import HsEnvError
from hs_env.metrics.scores import WEIGHTED
from hs_env.models import MODELS, Classifier
from hs_env.models.classifier import ENCODER, Model
from hs_env.models.words import FineTunedWords
from hs_env.shipped import CLASSIFIER
from hs_env.training.classifier_optimizer import ClassifierOptimizer
from hs_env.training.config import ResolvedConfig
from hs_env.training.data import TrainingData, training_batches
from hs_env.training.parent import Parent
from hs_env.training.schedule import decreasing_rate
from hs_env.training.stages import Stage, StagedTrainer
from hs_env.vectors import WordVectors
from hs_env.vectors.contextual import ContextualVectors

M = TypeVar("M", bound=Model)
Update: TypeAlias = Callable[..., dict[str, float]]
Evaluate: TypeAlias = Callable[[], tuple[dict[str, float], str]]
_ENCODER_BATCH: Final = 64
"""Number of sentences in a call of a frozen encoder."""
_ENCODER_COST: Final = 20.0
"""Rough time of an update of the C-Net with an encoder that learns, relative to one without."""


def balanced_weights(data: TrainingData) -> Tensor:
    """Return (C,) float32 weights N / (C * N_c) of the classes, for N_c of the N training sentences; the mean is 1."""
    labels, classes = data.splits["train"].labels, len(data.corpus.labels)
    return len(labels) / (classes * torch.bincount(labels, minlength=classes).clamp(min=1).float())


def limited(about: str, epochs: int) -> str:
    """Append the maximum number of epochs to the description of a stage."""
    return f"{about}; at most {epochs} epoch{'' if epochs == 1 else 's'}" if epochs else "left out"


def _draws_alone(module: nn.Module) -> bool:
    """Return whether a module draws random numbers in training that are not drawn for the whole batch."""
    return isinstance(module, _DropoutNd) and not isinstance(module, ranks.Dropout) and module.p > 0


@torch.no_grad()
def with_features(words: FineTunedWords, split: EncodedSplit) -> EncodedSplit:
    """Compute the vectors of all words of a split, in float16 as those of a frozen encoder are stored.

    Raises:
        HsEnvError: If a vector is not finite in float16.
    """
    features = torch.empty(len(split.tokens), words.embedding_size, dtype=torch.float16, device=split.tokens.device)
    for batch in split.batches(_ENCODER_BATCH):
        places = split.offsets[batch.indices][:, None] + torch.arange(batch.tokens.shape[1], device=features.device)
        features[places[batch.mask]] = words.vectors(replace(batch, features=None)).half()
    if not features.isfinite().all():
        raise HsEnvError(
            "The encoder that was trained gives word vectors that are not finite in float16. Use a lower learning rate."
        )
    return replace(split, features=features)


class ClassifierTrainer(StagedTrainer[Tensor]):
    """Trains on batches of sentences in the stages "warm", "pnet" and "joint". A unit is the indices of a batch.

    Args:
        config: Configuration of the run.
        data: Corpus, vocabulary and word vectors. The run trains on the device of its splits.
        folder: Folder of the run.
        console: Console that shows progress.
    """

    unit = "sentences"
    classifier: ClassifierOptimizer[Any]

    def __init__(self, config: ResolvedConfig, data: TrainingData, folder: Path, console: Console) -> None:
        super().__init__(
            folder, console, data.splits["train"].lengths.device, config.checkpoint_seconds, config.patience
        )
        self.warm_cost = _ENCODER_COST if config.encoder_rate else 1.0
        if config.encoder_rate:
            ranks.require_one("An encoder that learns with the classifier")
            if not config.warm_epochs:  # the configuration of an earlier version
                raise HsEnvError("An encoder learns in the warm start, which this run does not have. Start a new run.")
        self.config, self.data = config, data
        self.data_name, self.data_digests, self.data_digest = f"corpus {config.corpus!r}", data.digests, data.digest
        self.origin = None if config.init_from is None else Parent.load(Path(config.init_from))
        self.parent = {} if self.origin is None else self.origin.record()
        self.updates_per_epoch = -(-len(data.splits["train"]) // config.batch_size)
        self.class_weights = balanced_weights(data) if config.class_weights == "balanced" else None

    def optimizer(self, model: M) -> ClassifierOptimizer[M]:
        """Return the optimiser of a classifier, as the configuration says."""
        config = self.config
        return ClassifierOptimizer(
            model,
            config.tau,
            config.clip_norm,
            config.weight_decay,
            config.encoder_rate,
            config.encoder_decay,
            self.class_weights,
            config.label_smoothing,
        )

    def begin(self, stage: Stage) -> None:
        """Freeze an encoder of words after the warm start, and let it read all sentences once for the later stages."""
        words, splits = self.classifier.slow.words, self.data.splits
        later = stage is not self.stages[0] and stage.epochs > 0
        if isinstance(words, FineTunedWords) and later and splits["train"].features is None:
            self.classifier.freeze_encoder()
            self.console.print("The encoder is frozen from here on, and reads all sentences once.")
            read = {name: with_features(words, splits[name]) for name in ("train", "dev")}
            self.data = replace(self.data, splits=splits | read)

    def stage(
        self,
        name: str,
        epochs: int,
        update: Update,
        evaluate: Evaluate,
        score: str,
        after: Sequence[Stage] = (),
        about: str = "",
        cost: float = 1.0,
    ) -> Stage:
        """Return a stage that trains the classifier, with enough epochs for the minimum number of updates.

        If the classes have weights and `score` is "log_likelihood", the weighted log-likelihood selects the best epoch.

        Args:
            name: Name of the stage.
            epochs: Maximum number of epochs, raised if they have too few updates; 0 leaves the stage out.
            update: Function that trains on a batch.
            evaluate: Function that scores the classifier on dev.
            score: Name of the score that selects the best epoch.
            after: Stages before this one, on which the sentences of the curriculum depend.
            about: What the stage does.
            cost: Rough time of an update, relative to other stages.
        """
        least = self._epochs_with(self.config.min_updates, sum(earlier.epochs for earlier in after)) if epochs else 0
        if score == "log_likelihood" and self.class_weights is not None:
            score = WEIGHTED
        epochs = max(epochs, least)
        about = limited(about, epochs)
        return Stage(name, epochs, update, evaluate, score, min_epochs=least, about=about, cost=cost)

    def max_updates(self, stage: Stage) -> int:
        """Return the maximum number of updates of a stage."""
        begun = self._epochs_before(stage)
        return sum(self._updates_in(begun + epoch) for epoch in range(stage.epochs))

    def units(self, stage: Stage, epoch: int) -> Sequence[Tensor]:
        """Return the batches of an epoch, each as indices into the training split."""
        split, longest = self.data.splits["train"], self.longest(self._epochs_before(stage) + epoch)
        return training_batches(split, self.config.batch_size, self.config.seed, stage.name, epoch, longest=longest)

    def longest(self, epoch: int) -> int:
        """Return the largest number of words that the curriculum allows in an epoch, at least that of one sentence.

        It grows in equal steps over the first epochs of the run.

        Args:
            epoch: Number of the epoch in the run, where each stage before counts with its maximum of epochs.
        """
        lengths, epochs = self.data.splits["train"].sizes, self.config.curriculum_epochs
        start, end = max(self.config.curriculum_words, int(lengths.min())), int(lengths.max())
        return end if epoch >= epochs else min(end, start + (end - start) * epoch // epochs)

    def _epochs_before(self, stage: Stage) -> int:
        """Return the maximum number of epochs of all stages before a stage."""
        return sum(earlier.epochs for earlier in self.stages[: self.stages.index(stage)])

    def _updates_in(self, epoch: int) -> int:
        """Return the number of updates in an epoch of the run, which has fewer sentences in the curriculum."""
        if epoch >= self.config.curriculum_epochs:
            return self.updates_per_epoch
        sentences = int((self.data.splits["train"].sizes <= self.longest(epoch)).sum())
        return -(-sentences // self.config.batch_size)

    def _epochs_with(self, updates: int, begun: int) -> int:
        """Return the least number of epochs that have so many updates, if `begun` epochs of the run come before."""
        epochs = 0
        while updates > 0 and begun + epochs < self.config.curriculum_epochs:
            updates -= self._updates_in(begun + epochs)
            epochs += 1
        return epochs + max(0, -(-updates // self.updates_per_epoch))

    def rate_factor(self, stage: Stage) -> float:
        """Return the factor of the learning rates at the next update of joint training."""
        done = self.progress.updates_by_stage.get(stage.name, 0)
        return decreasing_rate(1.0, done, self.max_updates(stage), self.config.decay_share)

    def update(self, stage: Stage, unit: Tensor) -> tuple[dict[str, float], int]:
        """Train on this process's share of a batch. Dropout and the stage's generator get separate seeds."""
        place = (stage.name, self.progress.epoch, self.progress.batch)
        torch.manual_seed(seed_for(self.config.seed, *place, "dropout"))
        batch = self.data.splits["train"].batch(unit)
        with ranks.sharing(self.data.splits["train"].sizes[unit]) as share:
            mine = batch if share is None else batch.select(share.rows.to(self.device))
            return ranks.means(stage.update(mine, generator_for(self.config.seed, *place))), len(unit)

    def new_model(self) -> Model:
        """Build the model with new weights, or with those of the run to start from. Weights are drawn on the CPU."""
        with making_on():
            model: Model = self.data.new_model(MODELS.get(self.config.model), self.config)
        if self.origin is not None:
            self.origin.give_weights(model, self.data)
        if any(_draws_alone(module) for module in model.modules()):
            ranks.require_one("A model with dropout of its own")
        return model.to(self.device)

    def summary(self) -> str:
        """Return what the corpus is, and how many words have a vector."""
        lines = [self.data.corpus.description, self.data.corpus.source]
        if isinstance(self.data.vectors, WordVectors):
            coverage = f"{self.data.vectors.type_coverage:.1%} of {len(self.data.vocabulary):,} words"
            lines.append(f"{self.config.vectors} has {coverage}")
        return "\n".join(filter(None, lines))

    def history(self) -> Any:
        """Return the number of updates of the C-Net per stage, with the parent's, and the evaluation of every epoch."""
        before = {} if self.origin is None else self.origin.updates
        updates = {
            name: before.get(name, 0) + self.progress.updates_by_stage.get(name, 0) for name in ("warm", "joint")
        }
        return {
            "classifier_updates": updates,
            "cpu_seconds": self.progress.cpu_seconds,
            "epochs": self.progress.history,
        }

    def run(self) -> None:
        """Train, save the result, and then warn of a classifier that predicts one class alone."""
        super().run()
        if self._kept_epoch().get("predicted_classes") == 1 and not ranks.rank():
            advice = "" if self.config.class_weights == "balanced" else "class_weights='balanced', "
            warnings.warn(
                f"{MODELS.get(self.config.model).title} predicts one class alone on dev. Try {advice}more sentences or "
                "more epochs, and check the labels.",
                stacklevel=2,
            )

    def _kept_epoch(self) -> dict[str, Any]:
        """Return the last epoch of the history whose weights were kept."""
        return next(entry for entry in reversed(self.progress.history) if entry["best"])

    def save_classifier(self, model: Model) -> None:
        """Save a classifier with the words and labels of this run and the scores of the kept epoch.

        Equal runs save equal bytes, so the seconds of the epoch are left out, as are the numbers of its updates.
        """
        best = self._kept_epoch()
        kept = {name: value for name, value in best.items() if name not in ("seconds", "training")}
        vectors = self.data.vectors
        contextual = vectors if isinstance(vectors, ContextualVectors) else None
        if isinstance(model.words, FineTunedWords):  # the saved classifier uses a frozen copy of its encoder
            contextual = model.words.save(self.folder / ENCODER)
        labels, tokenisation = self.data.corpus.labels, self.data.corpus.tokenisation
        classifier = Classifier(model, self.data.vocabulary, labels, tokenisation, kept, contextual)
        classifier.save(self.folder / CLASSIFIER)
