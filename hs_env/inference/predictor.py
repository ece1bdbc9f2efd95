"""Load a trained classifier, and use it on texts."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hs_env.agents import Agent, load_pair
from hs_env.compute import Device, find_device, isolated, prepare, to_array
from hs_env.corpora import tokenise
from hs_env.errors import HsEnvError, shown
from hs_env.hub import local
from hs_env.inference.text_prediction import TextPrediction
from hs_env.inference.texts import check_texts, chunks, watched
from hs_env.inference.vectors import phrase_vectors, sentence_vectors
from hs_env.metrics.scores import decided_sentences
from hs_env.models import HSLSTM, Classifier, NestedClassifier, StructuredEncoder, find_classifier
from hs_env.models.classifier import Model
from hs_env.render import Segmented
from hs_env.storage import HISTORY, StrPath, read_json
from hs_env.text_units import unit_of
from hs_env.types import UNKNOWN, Sentence

CHUNK: Final = 4096
"""Number of texts that are sorted by length and read together."""
_FOREIGN: Final = 0.75
"""Share of unknown words from which a prediction means little."""


@dataclass(frozen=True, eq=False)
class _Reading:
    """The predictions for a chunk of texts.

    Attributes:
        texts: N texts.
        probabilities: (N, C) float64 class probabilities; NaN for a text without words.
        unknown: (N,) float64 share of unknown words; 0 for a text without words.
        shown: N sentences with their actions if they were asked for; None for a text without words.
    """

    texts: list[str]
    probabilities: NDArray[np.float64]
    unknown: NDArray[np.float64]
    shown: list[Segmented | None]


@dataclass(frozen=True, eq=False, repr=False)
class Predictor:
    """Classifies texts with a trained classifier and, if it takes actions, its P-Net.

    All methods take any iterable of texts, of any length, and keep their order. Texts of similar length are read
    together. A text without words gets the class None and NaN as probabilities. The first text of a call whose words
    are nearly all unknown causes a warning.

    Attributes:
        classifier: Trained classifier.
        agent: P-Net; None for a classifier that takes no actions.
        history: Scores on dev after each epoch of training; empty for a classifier without a run.

    Raises:
        HsEnvError: If the classifier takes actions, and there is no agent.
    """

    classifier: Classifier
    agent: Agent | None = None
    history: Sequence[dict[str, Any]] = ()

    def __post_init__(self) -> None:
        if isinstance(self.model, StructuredEncoder) and self.agent is None:
            raise HsEnvError(f"{self.model.title} takes actions. Give the agent that decides them.")

    def __repr__(self) -> str:
        *names, last = map(repr, self.classifier.labels)
        classes = f"{', '.join(names)} and {last}"
        return f"<Predictor: {self.model.title}, {len(self.classifier.vocabulary):,} words, classes {classes}>"

    @property
    def model(self) -> Model:
        """Network of the classifier."""
        return self.classifier.model

    @property
    def classes_(self) -> NDArray[np.object_]:
        """Names of the classes, (C,), in the order of the columns of `predict_proba`."""
        return np.array(self.classifier.labels, dtype=object)

    @property
    def dev_scores(self) -> dict[str, float]:
        """See `Classifier.dev_scores`."""
        return self.classifier.dev_scores

    @property
    def span_name(self) -> str | None:
        """Name of the spans, as in `TextPrediction.span_name`."""
        model = self.model
        if isinstance(model, NestedClassifier):
            return "phrases"
        return model.problem.span[1] if isinstance(model, StructuredEncoder) else None

    # Predictions -----------------------------------------------------------------------------------------------------

    def predict(self, texts: Iterable[str]) -> NDArray[np.object_]:
        """Return the most probable class of each text, (N,); None for a text without words.

        Raises:
            HsEnvError: If `texts` is no iterable of texts.
        """
        probabilities = self.predict_proba(texts)
        known = ~np.isnan(probabilities).any(1)
        classes = np.full(len(probabilities), None, dtype=object)
        classes[known] = self.classes_[probabilities[known].argmax(1)]
        return classes

    def predict_proba(self, texts: Iterable[str]) -> NDArray[np.float64]:
        """Return the class probabilities of each text, (N, C) float64; NaN for a text without words.

        Raises:
            HsEnvError: If `texts` is no iterable of texts.
        """
        found = [reading.probabilities for reading in self._readings(chunks(watched(texts), CHUNK))]
        return np.concatenate([np.empty((0, len(self.classifier.labels))), *found])

    def segment(self, texts: Iterable[str]) -> list[TextPrediction]:
        """Return the prediction for each text, with the decisions about its words.

        Raises:
            HsEnvError: If `texts` is no iterable of texts.
        """
        return list(self.stream(watched(texts)))

    def stream(self, texts: Iterable[str], chunk: int = CHUNK) -> Iterator[TextPrediction]:
        """Yield what `segment` returns, one by one, for texts that need not fit into memory.

        Args:
            texts: Texts.
            chunk: Number of texts that are read before the first prediction is yielded.

        Raises:
            HsEnvError: If `texts` is no iterable of texts, or `chunk` no whole number from 1.
        """
        return self._predictions(self._readings(chunks(check_texts(texts), chunk), decisions=True))

    def vectors(self, phrases: Iterable[str]) -> NDArray[np.float32]:
        """Return a vector for each phrase, (N, width) float32.

        It is the input of HS-LSTM's phrase level. For other models it is the input of the softmax, if the phrase is
        read as a sentence.

        Raises:
            HsEnvError: If `phrases` is no iterable of texts, or one has no words.
        """
        words = [self.classifier.sentence(phrase).words for phrase in check_texts(phrases)]
        if isinstance(self.model, HSLSTM):
            return phrase_vectors(self.classifier, words)
        return sentence_vectors(self.classifier, self.agent, words)

    # From texts to readings ------------------------------------------------------------------------------------------

    def _readings(self, parts: Iterable[list[str]], *, decisions: bool = False) -> Iterator[_Reading]:
        """Yield the predictions for parts of the texts, and warn of the first text of unknown words."""
        warned, count = False, 0
        for part in parts:
            reading = self._read(part, decisions)
            if not warned and (foreign := np.flatnonzero(reading.unknown >= _FOREIGN)).size:
                _warn_of_unknown_words(count + int(foreign[0]), part[foreign[0]], reading.unknown[foreign[0]])
                warned = True
            count += len(part)
            yield reading

    @isolated
    def _read(self, texts: list[str], decisions: bool) -> _Reading:
        """Read texts together, in batches of similar length."""
        tokenisation = self.classifier.tokenisation
        tokenised, unit = [tokenise(text, tokenisation) for text in texts], unit_of(tokenisation)
        rows = np.array([row for row, words in enumerate(tokenised) if words], dtype=np.int64)
        sentences = [Sentence(words, 0, unit=unit) for words in tokenised if words]
        reading = _Reading(
            texts,
            np.full((len(texts), len(self.classifier.labels)), np.nan),
            np.zeros(len(texts)),
            [None] * len(texts),
        )
        if not sentences:
            return reading
        split = self.classifier.encode(sentences)
        if self.classifier.contextual is None:  # else vectors are computed for all words
            tokens, offsets, lengths = map(to_array, (split.tokens, split.offsets, split.lengths))
            reading.unknown[rows] = np.add.reduceat(tokens == UNKNOWN, offsets, dtype=np.int64) / lengths
        labels = self.classifier.labels
        batches = decided_sentences(self.model, self.agent, split, sentences, labels, gold=False)
        for indices, log_probs, decided in batches:
            where = rows[to_array(indices)]
            reading.probabilities[where] = to_array(log_probs.cpu().double().exp())
            if decisions:
                for row, each in zip(where.tolist(), decided, strict=True):
                    reading.shown[row] = each
        return reading

    def _predictions(self, readings: Iterator[_Reading]) -> Iterator[TextPrediction]:
        for reading in readings:
            rows = zip(
                reading.texts, reading.shown, reading.probabilities.tolist(), reading.unknown.tolist(), strict=True
            )
            for text, decided, probabilities, unknown in rows:
                if decided is None:
                    yield TextPrediction.without_words(text, self.span_name)
                else:
                    named = dict(zip(self.classifier.labels, probabilities, strict=True))
                    yield TextPrediction.of(text, decided, named, unknown)


def load(run: StrPath, device: Device = "auto") -> Predictor:
    """Load a trained classifier, with its P-Net and its history if it has them.

    From then on the process keeps freed memory for reuse. Loading restores torch's global random generator, so no other
    thread should draw from it meanwhile.

    Args:
        run: Name of a run that ships with the package, the folder of a run, the file of a classifier, whose P-Net is
            expected in the same folder, or `hf:owner/name@revision`, a run on the Hugging Face hub.
        device: "cpu", "cuda", "cuda:1", "mps", or "auto" for a CUDA GPU if there is one.

    Raises:
        HsEnvError: If there is no such classifier or device, a file is damaged, the P-Net is missing, or the hub cannot
            be read.
    """
    prepare(0)
    path, device = find_classifier(local(run)), find_device(device)
    classifier, agent = load_pair(path, device)
    return Predictor(classifier, agent, _history(path.parent / HISTORY))


def _history(path: Path) -> Sequence[dict[str, Any]]:
    """Return the scores on dev after each epoch; none if there is no such file."""
    if not path.is_file():
        return ()
    history = read_json(path)
    epochs = history.get("epochs") if isinstance(history, dict) else None
    if not isinstance(epochs, list) or not all(isinstance(epoch, dict) for epoch in epochs):
        raise HsEnvError(f"{path} does not hold the epochs of a run. Was it edited?")
    return epochs


def _warn_of_unknown_words(index: int, text: str, share: float) -> None:
    warnings.warn(
        f"The classifier does not know {share:.0%} of the words of text {index + 1}, {shown(text, 60)}: its prediction "
        "means little. `unknown` has this share for each text.",
        stacklevel=2,
    )
