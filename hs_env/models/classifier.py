"""A model together with the words and classes it knows: what is saved, shipped and loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from hs_env.corpora.encoded import EncodedSplit
from hs_env.corpora.tokenisation import tokenise
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.models.attentive_hs_lstm import AttentiveHSLSTM
from hs_env.models.bilstm import BiLSTM
from hs_env.models.cnn import CNN
from hs_env.models.encoder import StructuredEncoder
from hs_env.models.hm.classifier import HMLSTMClassifier
from hs_env.models.hs_lstm import HSLSTM
from hs_env.models.id_lstm import IDLSTM
from hs_env.models.plain_lstm import PlainLSTM
from hs_env.models.self_attentive import SelfAttentive
from hs_env.models.sentence import FlatClassifier
from hs_env.models.words import ContextualWords
from hs_env.registry import Registry, unknown_name
from hs_env.storage import load_state, save_state
from hs_env.types import Sentence, SentenceBatch
from hs_env.vectors.contextual import PREFIX, ContextualVectors, load_contextual

Model = StructuredEncoder | FlatClassifier

MODELS: Registry[type[Model]] = Registry("model", group="hs_env.models")
"""Classifiers by versioned name; each is built from the keyword arguments that its `config()` returns."""
MODELS.register("hs_lstm.v1")(HSLSTM)
MODELS.register("attentive_hs_lstm.v1")(AttentiveHSLSTM)
MODELS.register("id_lstm.v1")(IDLSTM)
MODELS.register("plain_lstm.v1")(PlainLSTM)
MODELS.register("bilstm.v1")(BiLSTM)
MODELS.register("hm_lstm.v1")(HMLSTMClassifier)
MODELS.register("cnn.v1")(CNN)
MODELS.register("self_attentive.v1")(SelfAttentive)

FILE_NAME = "classifier.safetensors"
"""The classifier's file in the folder of a run."""
ENCODER = "encoder"
"""The encoder's folder beside it, if the run has fine-tuned one."""
_OWN = f"{PREFIX}./{ENCODER}"
"""How the classifier's file names it, so that the two may be moved together."""


@dataclass(frozen=True)
class Classifier:
    """A model, the vocabulary it reads and the classes it tells apart.

    Attributes:
        model: The network.
        vocabulary: Its words.
        labels: Names of its classes.
        tokenisation: Name of the step that makes words of a text (`hs_env.corpora.tokenisation`).
        notes: How it was made, its accuracy: JSON values.
        contextual: Makes the word vectors that the model reads, if they depend on the sentence.
    """

    model: Model
    vocabulary: Vocabulary
    labels: tuple[str, ...]
    tokenisation: str
    notes: dict[str, Any]
    contextual: ContextualVectors | None = None

    def sentence(self, text: str) -> Sentence:
        """The words of a text, with label 0 for want of a better one.

        Raises:
            HsEnvError: If the text has no words.
        """
        words = tokenise(text, self.tokenisation)
        if not words:
            raise HsEnvError(f"The text {text!r} has no words. Give at least one word.")
        return Sentence(words, 0)

    def batch(self, sentences: Sequence[Sentence]) -> SentenceBatch:
        """One or more sentences as a padded batch; `indices` count from 0."""
        if not sentences or not all(sentence.words for sentence in sentences):
            raise HsEnvError(f"Expected one or more sentences, each of one or more words; got {len(sentences)}.")
        return self.encode(sentences).batch(torch.arange(len(sentences)))

    def encode(self, sentences: Sequence[Sentence]) -> EncodedSplit:
        """Sentences as this classifier reads them, none of them empty."""
        return EncodedSplit.from_sentences(sentences, self.vocabulary, self.contextual)

    def save(self, path: Path) -> None:
        """Save as one safetensors file.

        Raises:
            HsEnvError: If the model is not in `MODELS`, by whose name it is loaded.
        """
        state = {
            "model": MODELS.name_of(type(self.model)),
            "config": self.model.config(),
            "weights": self.model.state_dict(),
            "words": list(self.vocabulary.words),
            "labels": list(self.labels),
            "tokenisation": self.tokenisation,
            "notes": self.notes,
            "contextual": None if self.contextual is None else self._spec(path.parent),
            "encoder": None if self.contextual is None else self.contextual.digest,
        }
        save_state(path, "classifier", state)

    def _spec(self, folder: Path) -> str:
        assert self.contextual is not None
        own = self.contextual.folder == (folder / ENCODER).resolve()
        return f"{_OWN}@{self.contextual.layer}" if own else self.contextual.spec

    @classmethod
    def load(cls, name: str | Path) -> Classifier:
        """Load a classifier, in eval mode.

        Args:
            name: Name of one that ships with the package, the file of one, or the folder of a run.

        Raises:
            HsEnvError: If there is none, its file is damaged, or the encoder whose vectors it reads is another or gone.
        """
        path = find_classifier(name)
        state = load_state(path, "classifier")
        contextual = _encoder_of(path, state) if state.get("contextual") else None
        try:
            with torch.random.fork_rng():  # first weights are drawn for nothing
                model = MODELS.get(state["model"])(**state["config"])
            if contextual is not None:
                model.words = ContextualWords.in_place_of(model.words)
            model.load_state_dict(state["weights"])
            vocabulary, labels = Vocabulary(state["words"]), tuple(state["labels"])
            if (len(vocabulary), len(labels)) != (model.words.vocabulary_size, model.num_classes):
                raise HsEnvError(f"{len(vocabulary)} words and {len(labels)} labels are not what the model has")
            return cls(model.eval(), vocabulary, labels, state["tokenisation"], state["notes"], contextual)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise HsEnvError(f"The classifier in {path} does not fit its own description: {error}") from error


def _encoder_of(path: Path, state: dict[str, Any]) -> ContextualVectors:
    """What makes the word vectors that the saved classifier reads, if it is what it was."""
    spec = str(state["contextual"])
    if spec.startswith(_OWN):
        own = path.resolve().parent / ENCODER
        if not own.is_dir():
            raise HsEnvError(
                f"The classifier in {path} reads the encoder that it has learnt with, and there is no folder {own}. "
                "Copy the two together."
            )
        spec = f"{PREFIX}{own}{spec.removeprefix(_OWN)}"
    try:
        contextual = load_contextual(spec)
    except HsEnvError as error:
        raise HsEnvError(f"The classifier in {path} reads word vectors that cannot be made. {error}") from error
    if contextual.digest != state.get("encoder", contextual.digest):
        raise HsEnvError(
            f"The classifier in {path} has learnt on word vectors of another encoder than is in {contextual.folder} "
            "now. Bring the old one back, or train again."
        )
    return contextual


def shipped_runs() -> dict[str, Path]:
    """The trained runs that come with the package: a folder with a classifier and its agent, by name."""
    folder = Path(str(files("hs_env") / "data"))
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{FILE_NAME}"))}


def find_classifier(name: str | Path) -> Path:
    """The file of the classifier called `name` (see `Classifier.load`)."""
    shipped = shipped_runs()
    path = shipped.get(str(name), Path(name))
    if path.is_dir():
        return path / FILE_NAME
    if not path.exists() and path.suffix != ".safetensors" and len(path.parts) == 1:
        raise unknown_name("classifier", str(name), shipped)
    return path
