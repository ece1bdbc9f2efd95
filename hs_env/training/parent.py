"""Start a run from the weights of a finished run, its parent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hs_env.agents import Agent, LearningAgent, load_pair
from hs_env.errors import HsEnvError
from hs_env.models import Classifier
from hs_env.models.classifier import ENCODER, ENCODER_WEIGHTS, Model
from hs_env.models.words import WordEmbedding
from hs_env.shipped import AGENT, CLASSIFIER
from hs_env.storage import HISTORY, read_json
from hs_env.training.data import TrainingData
from hs_env.training.folders import read_history
from hs_env.vectors.contextual import ContextualVectors

_WORDS = "words."
"""Prefix of the weights of the word vectors."""


@dataclass(frozen=True)
class Parent:
    """A finished run whose weights another run starts from.

    Attributes:
        folder: Folder of the run.
        classifier: Its classifier.
        agent: Its agent; None for a flat classifier.
        updates: Number of updates of its classifier by stage, with those of its own parent.
    """

    folder: Path
    classifier: Classifier
    agent: Agent | None
    updates: Mapping[str, int]

    @classmethod
    def load(cls, folder: Path) -> Parent:
        """Load a parent.

        Raises:
            HsEnvError: If the folder holds no finished run of a classifier.
        """
        if not (folder / HISTORY).exists():
            raise HsEnvError(f"{folder} holds no finished run to start from. Give the folder of one.")
        updates, _ = read_history(read_json(folder / HISTORY), folder)
        return cls(folder, *load_pair(folder / CLASSIFIER), updates)

    def record(self) -> dict[str, Any]:
        """Return folder and digests of the weights, for the record of the run that starts from them."""
        names = [name for name in (CLASSIFIER, AGENT) if (self.folder / name).exists()]
        digests = {name: hashlib.sha256((self.folder / name).read_bytes()).hexdigest() for name in names}
        return {"parent": {"folder": str(self.folder), **digests}}

    @torch.no_grad()
    def give_weights(self, model: Model, data: TrainingData) -> None:
        """Copy the weights of the classifier to a new model. Words that only the new corpus has keep their vectors.

        Raises:
            HsEnvError: If classes, model, sizes or contextual word vectors are others.
        """
        old, labels = self.classifier.model, data.corpus.labels
        if type(old) is not type(model):
            raise self._unfit(f"its model is {old.title}, not {model.title}")
        if self.classifier.labels != labels:
            theirs = ", ".join(self.classifier.labels)
            raise self._unfit(f"its classes are {theirs}, and those of {data.corpus.name!r} are {', '.join(labels)}")
        self._check_encoder(data)
        if isinstance(model.words, WordEmbedding) and isinstance(old.words, WordEmbedding):
            self._give_words(model.words, old.words, data)
        weights, own = old.state_dict(), model.state_dict()
        own = {name: weight for name, weight in own.items() if not name.startswith(ENCODER_WEIGHTS)}
        for name, weight in own.items():
            if name.startswith(_WORDS):
                continue
            if name not in weights or weights[name].shape != weight.shape:
                found = f"of shape {tuple(weights[name].shape)}" if name in weights else "missing"
                expected = f"expected {tuple(weight.shape)}"
                raise self._unfit(f"its weight {name} is {found}, {expected}; use its model parameters")
            weight.copy_(weights[name])

    def give_policy(self, agent: LearningAgent, data: TrainingData) -> None:
        """Copy the policy of the parent's agent to a new agent.

        Raises:
            HsEnvError: If the new agent is of another kind or size, or reads words of another vocabulary.
        """
        assert self.agent is not None
        if self.agent.reads_words and self.classifier.vocabulary != data.vocabulary:
            raise self._unfit(
                f"its P-Net has a reader, which knows words by their numbers in its vocabulary, and those of "
                f"{data.corpus.name!r} have other numbers; train on its corpus, or without a reader"
            )
        try:
            agent.start_from(self.agent)
        except (RuntimeError, HsEnvError) as error:
            raise self._unfit(f"its agent does not fit: {str(error).splitlines()[0]}") from error

    def _give_words(self, new: WordEmbedding, old: WordEmbedding, data: TrainingData) -> None:
        if new.embedding_size != old.embedding_size:
            raise self._unfit(
                f"its word vectors are {old.embedding_size} wide, expected {new.embedding_size}; use its --vectors"
            )
        known = {word: token for token, word in enumerate(self.classifier.vocabulary.words)}
        shared = [(at, known[word]) for at, word in enumerate(data.vocabulary.words) if word in known]
        to, origin = torch.tensor(shared, device=new.weight.device).T
        new.weight[to] = old.weight[origin]

    def _check_encoder(self, data: TrainingData) -> None:
        """Check that contextual word vectors are those that the parent's classifier was trained on."""
        old = self.classifier.contextual
        new = data.vectors if isinstance(data.vectors, ContextualVectors) else None
        if (None if old is None else (old.digest, old.layer)) != (None if new is None else (new.digest, new.layer)):
            own = self.folder / ENCODER
            spec = "static ones" if old is None else f"hf:{own}@{old.layer}" if own.is_dir() else old.spec
            raise self._unfit(f"its word vectors are {spec}; use these --vectors")

    def _unfit(self, reason: str) -> HsEnvError:
        return HsEnvError(f"The run in {self.folder} cannot be the start of this one: {reason}.")
