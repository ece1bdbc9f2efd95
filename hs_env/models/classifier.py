"""A model with its vocabulary and class names, as one file that can be saved, shipped and loaded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hs_env.compute import CPU, Device, device_of, find_device, isolated, kept_generators, making_on
from hs_env.corpora.encoded import EncodedSplit
from hs_env.corpora.tokenisation import TOKENISATIONS, tokenise
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError, shown
from hs_env.models.attentive_hs_lstm import AttentiveHSLSTM
from hs_env.models.bilstm import BiLSTM
from hs_env.models.chunk_lstm import ChunkLSTM
from hs_env.models.cnn import CNN
from hs_env.models.encoder import StructuredEncoder
from hs_env.models.h_net.classifier import HNetClassifier
from hs_env.models.hm.classifier import HMLSTMClassifier
from hs_env.models.hs_lstm import HSLSTM
from hs_env.models.id_lstm import IDLSTM
from hs_env.models.phrase_modules import PhraseModuleNetwork
from hs_env.models.plain_lstm import PlainLSTM
from hs_env.models.rounded import to_float32, to_int8
from hs_env.models.saved import LOADING_ERRORS, check_weights, find_file, is_out_of_memory
from hs_env.models.self_attentive import SelfAttentive
from hs_env.models.sentence import FlatClassifier
from hs_env.models.skim_lstm import SkimLSTM
from hs_env.models.tree_lstm import TreeLSTM
from hs_env.models.words import ContextualWords
from hs_env.registry import Registry
from hs_env.shipped import CLASSIFIER
from hs_env.storage import StrPath, load_state, save_state
from hs_env.text_units import unit_of
from hs_env.types import Sentence, SentenceBatch
from hs_env.vectors.contextual import PREFIX, ContextualVectors, load_contextual

Model = StructuredEncoder | FlatClassifier

MODELS: Registry[type[Model]] = Registry(
    "model", group="hs_env.models", subclasses_of=(StructuredEncoder, FlatClassifier)
)
"""Model classes by versioned name. `MODELS.get(name)(**model.config())` builds a model with the same sizes."""
MODELS.register("hs_lstm.v1")(HSLSTM)
MODELS.register("attentive_hs_lstm.v1")(AttentiveHSLSTM)
MODELS.register("phrase_modules.v1")(PhraseModuleNetwork)
MODELS.register("id_lstm.v1")(IDLSTM)
MODELS.register("skim_lstm.v1")(SkimLSTM)
MODELS.register("tree_lstm.v1")(TreeLSTM)
MODELS.register("chunk_lstm.v1")(ChunkLSTM)
MODELS.register("plain_lstm.v1")(PlainLSTM)
MODELS.register("bilstm.v1")(BiLSTM)
MODELS.register("hm_lstm.v1")(HMLSTMClassifier)
MODELS.register("h_net.v1")(HNetClassifier)
MODELS.register("cnn.v1")(CNN)
MODELS.register("self_attentive.v1")(SelfAttentive)

ENCODER = "encoder"
"""Name of the folder of the fine-tuned encoder, next to the classifier's file, if the run has one."""
ENCODER_WEIGHTS = "words.network."
"""Prefix of the weights of an encoder that learns with the classifier; they are saved in its folder."""
_NO_SCORES = ("epoch", "updates", "seconds", "dev", "test", "float32_dev", "float32_test")
"""Numbers in the notes that are no scores on dev of the kept epoch: the last four are measured after training."""
_OWN = f"{PREFIX}./{ENCODER}"
"""Relative name of that folder in the classifier's file, so that file and folder can be moved together."""


@dataclass(frozen=True)
class Classifier:
    """A model with its vocabulary and the names of its classes.

    Attributes:
        model: Network that computes the class log-probabilities.
        vocabulary: Words that the model knows.
        labels: Names of the C classes, by class index.
        tokenisation: Name of the rule that splits a text into words (`hs_env.corpora.tokenisation`).
        notes: Origin and accuracy of the classifier, as JSON values.
        contextual: Encoder that computes the word vectors, or None if they do not depend on the sentence.
    """

    model: Model
    vocabulary: Vocabulary
    labels: tuple[str, ...]
    tokenisation: str
    notes: dict[str, Any]
    contextual: ContextualVectors | None = None

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return device_of(self.model)

    @property
    def dev_scores(self) -> dict[str, float]:
        """Scores on dev of the epoch that its training kept, such as "accuracy" and "log_likelihood".

        The weights of a classifier that ships with the package were rounded later, so its scores differ a little.
        """
        return {name: each for name, each in self.notes.items() if isinstance(each, float) and name not in _NO_SCORES}

    def sentence(self, text: str) -> Sentence:
        """Split a text into words. The label is unknown and set to 0.

        Raises:
            HsEnvError: If the text has no words.
        """
        words = tokenise(text, self.tokenisation)
        if not words:
            raise HsEnvError(f"The text {text!r} has no words. Give at least one word.")
        return Sentence(words, 0, unit=unit_of(self.tokenisation))

    @isolated
    def batch(self, sentences: Sequence[Sentence]) -> SentenceBatch:
        """Return sentences as a padded batch, whose `indices` count from 0.

        Raises:
            HsEnvError: If there is no sentence, or one of them has no words.
        """
        if not sentences or not all(sentence.words for sentence in sentences):
            counts = [len(sentence.words) for sentence in sentences]
            raise HsEnvError(f"Expected one or more sentences of one or more words each; got word counts {counts}.")
        return self.encode(sentences).batch(torch.arange(len(sentences), device=CPU))

    @isolated
    def encode(self, sentences: Sequence[Sentence]) -> EncodedSplit:
        """Encode sentences of at least one word each on the model's device, with contextual vectors if it needs any."""
        contextual = None if self.contextual is None else self.contextual.on(self.device)
        return EncodedSplit.from_sentences(sentences, self.vocabulary, contextual).to(self.device)

    def save(self, path: StrPath, int8: bool = False) -> None:
        """Save the classifier as one safetensors file. Equal classifiers give equal bytes.

        Args:
            path: File to write.
            int8: Whether to round matrices to 8 bits, for a quarter of the size. `load` returns float32 either way.

        Raises:
            HsEnvError: If the model's class is not registered in `MODELS`; `load` finds it by its name there.
        """
        path, weights = Path(path), self.model.state_dict()
        weights = {name: weight for name, weight in weights.items() if not name.startswith(ENCODER_WEIGHTS)}
        state = {
            "model": MODELS.name_of(type(self.model)),
            "config": self.model.config(),
            "weights": to_int8(weights) if int8 else weights,
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
    @isolated
    def load(cls, run: StrPath, device: Device = "cpu") -> Classifier:
        """Load a classifier, in eval mode.

        Args:
            run: Name of a run that ships with the package, the folder of a run, or the file of a classifier.
            device: Device to load it to, whichever it was trained on.

        Raises:
            HsEnvError: If there is no such classifier or device, its file is damaged, or its encoder is missing or has
                changed.
        """
        device = find_device(device)
        path = find_classifier(run)
        state = load_state(path, "classifier")
        contextual = _encoder_of(path, state) if state.get("contextual") else None
        try:
            _check_state(state)
            kind, config = MODELS.get(state["model"]), state["config"]
            weights = to_float32(state["weights"])

            def make() -> Model:
                model: Model = kind(**config)
                if contextual is not None:
                    model.words = ContextualWords.in_place_of(model.words)
                return model

            check_weights(make, config, weights)
            with kept_generators(), making_on():  # the initial weights are replaced: they use up no random numbers
                model = make()
            model.load_state_dict(weights)
            vocabulary, labels = Vocabulary(state["words"]), tuple(state["labels"])
            if (len(vocabulary), len(labels)) != (model.words.vocabulary_size, model.num_classes):
                raise HsEnvError(
                    f"it has {len(vocabulary)} words and {len(labels)} labels, but its model expects "
                    f"{model.words.vocabulary_size} and {model.num_classes}"
                )
            return cls(model.eval().to(device), vocabulary, labels, state["tokenisation"], state["notes"], contextual)
        except LOADING_ERRORS as error:
            if is_out_of_memory(error):
                raise
            raise HsEnvError(f"The classifier in {path} does not fit its own description: {error}") from error


def _check_state(state: dict[str, Any]) -> None:
    """Check the types of what a classifier's file holds.

    Raises:
        HsEnvError: If one is wrong.
    """
    words, labels, tokenisation = state["words"], state["labels"], state["tokenisation"]
    if not all(isinstance(texts, list) and all(isinstance(each, str) for each in texts) for texts in (words, labels)):
        raise HsEnvError("its words and labels must be lists of texts")
    if len(set(labels)) != len(labels):
        raise HsEnvError("it has two classes of the same name")
    if tokenisation not in TOKENISATIONS:
        raise HsEnvError(f"the tokenisation is {shown(tokenisation)}, expected one of {', '.join(TOKENISATIONS)}")
    for name in ("config", "weights", "notes"):
        if not isinstance(state[name], dict):
            raise HsEnvError(f"{name} must be a mapping, got {shown(state[name])}")


def _encoder_of(path: Path, state: dict[str, Any]) -> ContextualVectors:
    """Return the encoder of a saved classifier's word vectors; refuse one that has changed since."""
    spec = str(state["contextual"])
    if re.fullmatch(rf"{re.escape(_OWN)}(@[0-9]+)?", spec):
        own = path.resolve().parent / ENCODER
        if not own.is_dir():
            raise HsEnvError(
                f"The classifier in {path} needs the encoder that was fine-tuned with it, but there is no folder "
                f"{own}. Copy the two together."
            )
        spec = f"{PREFIX}{own}{spec.removeprefix(_OWN)}"
    try:
        contextual = load_contextual(spec)
    except HsEnvError as error:
        raise HsEnvError(f"The word vectors of the classifier in {path} cannot be computed. {error}") from error
    if contextual.digest != state.get("encoder", contextual.digest):
        raise HsEnvError(
            f"The classifier in {path} was trained on word vectors of another encoder than the one in "
            f"{contextual.folder}. Restore the old encoder, or train again."
        )
    return contextual


def find_classifier(run: StrPath) -> Path:
    """Return the file of a classifier; `run` as in `Classifier.load`.

    Raises:
        HsEnvError: If `run` looks like the name of a shipped run and there is none.
    """
    return find_file(run, CLASSIFIER, "classifier")
