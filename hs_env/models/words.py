"""Word vectors of a batch, each word once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from hs_env.errors import HsEnvError
from hs_env.types import PADDING, SentenceBatch, WordFeatures
from hs_env.vectors.contextual import PREFIX, ContextualVectors, load_contextual


class WordVectorLayer(nn.Module, ABC):
    """Gives the words of a batch, without its padding, their vectors.

    Args:
        vocabulary_size: V, padding and unknown word included.
        embedding_size: e.
        dropout: Probability that a component of a vector is dropped, in training mode.
        word_dropout: Probability that a whole vector is dropped, in training mode (Iyyer et al. 2015).
    """

    def __init__(self, vocabulary_size: int, embedding_size: int, dropout: float, word_dropout: float) -> None:
        super().__init__()
        self.vocabulary_size, self.embedding_size = vocabulary_size, embedding_size
        self.dropout, self.word_dropout = nn.Dropout(dropout), nn.Dropout(word_dropout)

    @abstractmethod
    def vectors(self, batch: SentenceBatch) -> Tensor:
        """(N, e) float32: the vectors of the batch's N words, sentence after sentence, nothing dropped."""

    def read(self, batch: SentenceBatch) -> SentenceBatch:
        """The batch, with the vectors of its words if they cost much: for whoever reads it more than once."""
        return batch

    @abstractmethod
    def lexicon(self) -> Tensor | None:
        """(V, e): the vector of every word of the vocabulary, or None if a word's vector depends on its sentence."""

    def forward(self, batch: SentenceBatch) -> tuple[Tensor, Tensor]:
        """The vectors of the batch's N words, sentence after sentence.

        Returns:
            (N, e) vectors, and (B, T) int64: which of them each word has (0 behind the end of a sentence).
        """
        mask = batch.mask
        where = mask.new_zeros(mask.shape, dtype=torch.int64)
        where[mask] = torch.arange(int(batch.lengths.sum()), device=mask.device)
        vectors = self.dropout(self.vectors(batch))
        return vectors * self.word_dropout(vectors.new_ones(len(vectors), 1)), where


class WordEmbedding(WordVectorLayer):
    """Vectors that are looked up, and learn."""

    def __init__(self, vocabulary_size: int, embedding_size: int, dropout: float, word_dropout: float) -> None:
        super().__init__(vocabulary_size, embedding_size, dropout, word_dropout)
        self.weight = nn.Parameter(torch.empty(vocabulary_size, embedding_size).uniform_(-0.25, 0.25))
        with torch.no_grad():
            self.weight[PADDING].zero_()

    def vectors(self, batch: SentenceBatch) -> Tensor:
        """See `WordVectorLayer.vectors`."""
        return nn.functional.embedding(batch.tokens[batch.mask], self.weight)

    def lexicon(self) -> Tensor:
        """See `WordVectorLayer.lexicon`."""
        return self.weight


class ContextualWords(WordVectorLayer):
    """Vectors that a frozen encoder made of the sentence and that come with the batch."""

    @classmethod
    def in_place_of(cls, words: WordVectorLayer) -> ContextualWords:
        """A layer of the same sizes."""
        return cls(words.vocabulary_size, words.embedding_size, words.dropout.p, words.word_dropout.p)

    def vectors(self, batch: SentenceBatch) -> Tensor:
        """See `WordVectorLayer.vectors`.

        Raises:
            HsEnvError: If the batch has none, or they have another width.
        """
        if batch.features is None:
            raise HsEnvError(
                "This classifier reads contextual word vectors, and the batch has none. Make batches by "
                "`Classifier.batch` or `Classifier.encode`, which compute them."
            )
        vectors = batch.features.of(batch).float()
        if vectors.shape[1] != self.embedding_size:
            raise HsEnvError(f"The batch has word vectors of width {vectors.shape[1]}, expected {self.embedding_size}.")
        return vectors

    def lexicon(self) -> None:
        """See `WordVectorLayer.lexicon`."""
        return None


class FineTunedWords(WordVectorLayer):
    """Vectors that an encoder makes of the sentence while it learns with the rest; afterwards they are contextual ones.

    Args:
        words: The layer in whose place it stands, of the same sizes.
        vectors: Name the encoder, as it is at first, and its layer.
        vocabulary: The word of each token id.
    """

    def __init__(self, words: WordVectorLayer, vectors: ContextualVectors, vocabulary: tuple[str, ...]) -> None:
        super().__init__(words.vocabulary_size, words.embedding_size, words.dropout.p, words.word_dropout.p)
        self._reader, self._layer, self._vocabulary = vectors.load(), vectors.layer, vocabulary
        self._reader.model.float()  # in 16 bits small updates would be rounded away
        self.network: nn.Module = self._reader.network  # the same object, in copies too: now torch knows its weights

    def read(self, batch: SentenceBatch) -> SentenceBatch:
        """See `WordVectorLayer.read`."""
        return replace(batch, features=WordFeatures(self.vectors(batch), batch.lengths.cumsum(0) - batch.lengths))

    def vectors(self, batch: SentenceBatch) -> Tensor:
        """See `WordVectorLayer.vectors`."""
        if batch.features is not None:
            return batch.features.of(batch)
        rows = zip(batch.tokens.tolist(), batch.lengths.tolist(), strict=True)
        sentences = [[self._vocabulary[token] for token in tokens[:length]] for tokens, length in rows]
        return self._reader.word_states(sentences, self._layer)

    def lexicon(self) -> None:
        """See `WordVectorLayer.lexicon`."""
        return None

    def save(self, folder: Path) -> ContextualVectors:
        """Save the encoder as it is now; returns the vectors that it makes."""
        self._reader.save(folder, self._layer)
        return load_contextual(f"{PREFIX}{folder}@{self._layer}")
