"""Nearest neighbours of phrases, by the phrase vectors of a trained HS-LSTM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hs_env.agents import Agent
from hs_env.compute import isolated
from hs_env.corpora import tokenise
from hs_env.errors import HsEnvError, missing_extra
from hs_env.inference.vectors import hs_lstm_of, phrase_vectors
from hs_env.metrics.scores import greedy_episodes
from hs_env.models import Classifier
from hs_env.text_units import to_text, unit_of
from hs_env.types import Sentence


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A phrase that is similar to another one.

    Attributes:
        words: The phrase.
        count: Number of times that the policy produced it.
        similarity: Cosine similarity of the two vectors, from -1 to 1.
    """

    words: tuple[str, ...]
    count: int
    similarity: float


@dataclass(frozen=True, eq=False)
class PhraseIndex:
    """The phrases that a policy produced, with the vector that HS-LSTM's phrase level takes for each.

    Attributes:
        classifier: Classifier whose word level computes the vectors.
        counts: Number of times that the policy produced each phrase.
        vectors: (phrases, d) float32, in the order of `counts`; see `HSLSTM.phrase_vectors`.
    """

    classifier: Classifier
    counts: dict[tuple[str, ...], int]
    vectors: NDArray[np.float32]

    @classmethod
    @isolated
    def of(cls, classifier: Classifier, agent: Agent, sentences: Sequence[Sentence]) -> PhraseIndex:
        """Segment sentences and index their distinct phrases.

        Raises:
            HsEnvError: If the classifier is not an HS-LSTM, or there are no sentences.
        """
        encoder = hs_lstm_of(classifier)
        if not sentences:
            raise HsEnvError("There are no sentences to take phrases from. Choose a split that has some.")
        counts: Counter[tuple[str, ...]] = Counter()
        for batch in greedy_episodes(encoder, agent, classifier.encode(sentences)):
            phrases = encoder.problem.spans_by_row(batch.actions, batch.sentences.lengths)
            for index, spans in zip(batch.sentences.indices.tolist(), phrases, strict=True):
                counts.update(sentences[index].words[start:stop] for start, stop in spans)
        return cls(classifier, dict(counts), phrase_vectors(classifier, list(counts)))

    @isolated
    def nearest(self, text: str, k: int = 10) -> list[Neighbour]:
        """Return the indexed phrases most similar to a phrase, most similar first, without the phrase itself.

        Args:
            text: A phrase, which need not be indexed. It is tokenised as the classifier's corpus is.
            k: Number of neighbours; the result has fewer if the index is smaller.

        Raises:
            HsEnvError: If the classifier knows none of the words, or k is less than 1.
        """
        try:
            from sklearn.neighbors import NearestNeighbors
        except ImportError as error:
            raise missing_extra("Neighbours of phrases", "analysis") from error

        words = tokenise(text, self.classifier.tokenisation)
        knows_all = self.classifier.contextual is not None  # an encoder has vectors of all words
        if not knows_all and not any(word in self.classifier.vocabulary for word in words):
            raise HsEnvError(
                f"The classifier knows no word of {text!r}, so its vector is meaningless. Give another phrase."
            )
        if k < 1:
            raise HsEnvError(f"Expected one neighbour or more, got {k}.")
        index = NearestNeighbors(metric="cosine", algorithm="brute").fit(self.vectors)
        query = phrase_vectors(self.classifier, [words])
        distances, rows = index.kneighbors(query, min(k + 1, len(self.counts)))
        phrases = list(self.counts)
        found = zip(rows[0].tolist(), distances[0].tolist(), strict=True)
        near = [Neighbour(phrases[row], self.counts[phrases[row]], 1 - distance) for row, distance in found]
        return [each for each in near if each.words != words][:k]

    def to_json(self, text: str, k: int = 10) -> dict[str, Any]:
        """Return `nearest` as JSON values, with the count of the phrase itself."""
        words, unit = tokenise(text, self.classifier.tokenisation), unit_of(self.classifier.tokenisation)
        near = [
            {"phrase": to_text(each.words, unit), "count": each.count, "similarity": each.similarity}
            for each in self.nearest(text, k)
        ]
        return {"phrase": to_text(words, unit), "count": self.counts.get(words, 0), "neighbours": near}
