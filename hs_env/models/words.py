"""Word-vector layers, which return one vector per word of a batch and none for padding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from hs_env.errors import HsEnvError
from hs_env.ranks import Dropout
from hs_env.types import PADDING, SentenceBatch
from hs_env.vectors.contextual import PREFIX, ContextualVectors, load_contextual


class WordVectorLayer(nn.Module, ABC):
    """Base class of layers that return one vector per word of a batch and none for padding.

    Args:
        vocabulary_size: V, number of words, including padding and the unknown word.
        embedding_size: e, width of the word vectors.
        dropout: Probability of dropping a component of a vector, in training mode.
        word_dropout: Probability of dropping a whole vector, in training mode (Iyyer et al. 2015).
    """

    def __init__(self, vocabulary_size: int, embedding_size: int, dropout: float, word_dropout: float) -> None:
        super().__init__()
        self.vocabulary_size, self.embedding_size = vocabulary_size, embedding_size
        self.dropout, self.word_dropout = Dropout(dropout, "words"), Dropout(word_dropout, "words")

    @abstractmethod
    def vectors(self, batch: SentenceBatch) -> Tensor:
        """Return the word vectors of the batch before dropout, (words, e) float32, one sentence after the other."""

    def lookup(self, tokens: Tensor) -> Tensor | None:
        """Return one vector for each of some token ids, int64, before dropout; None if they depend on the sentence."""
        return None

    @abstractmethod
    def lexicon(self, tokens: Tensor | None = None) -> Tensor | None:
        """Return the vectors of all words, (V, e) float32 by token id; None if they depend on the sentence.

        If `tokens`, int64, are given, only their rows are up to date.
        """

    def forward(self, batch: SentenceBatch) -> tuple[Tensor, Tensor]:
        """Compute the word vectors of the batch, with dropout in training mode.

        Returns:
            The float32 vectors of all words, (words, e), one sentence after the other; and the row of each word in that
            matrix, (B, T) int64. Positions after the last word hold 0 and must be masked.
        """
        mask = batch.mask
        where = mask.new_zeros(mask.shape, dtype=torch.int64)
        vectors = self.dropout(self.vectors(batch))
        where[mask] = torch.arange(len(vectors), device=mask.device)
        return vectors * self.word_dropout(vectors.new_ones(len(vectors), 1)), where


class Deferred(Protocol):
    """Training that updates the rows of a table of word vectors only when they are read."""

    def catch_up(self, tokens: Tensor | None = None) -> None:
        """Do the missed updates of the rows with these token ids, int64 of any shape; None is all rows."""


class WordEmbedding(WordVectorLayer):
    """Trainable word vectors, looked up by token id.

    Attributes:
        weight: Vectors, (V, e) float32.
        deferred: Training that updates rows when they are read; the gradient is then sparse. None for other training.
    """

    deferred: Deferred | None = None

    def __init__(self, vocabulary_size: int, embedding_size: int, dropout: float, word_dropout: float) -> None:
        super().__init__(vocabulary_size, embedding_size, dropout, word_dropout)
        self.weight = nn.Parameter(torch.empty(vocabulary_size, embedding_size).uniform_(-0.25, 0.25))
        with torch.no_grad():
            self.weight[PADDING].zero_()

    def vectors(self, batch: SentenceBatch) -> Tensor:
        """See `WordVectorLayer.vectors`."""
        return self.lookup(batch.tokens[batch.mask])

    def lookup(self, tokens: Tensor) -> Tensor:
        """See `WordVectorLayer.lookup`."""
        if self.deferred is not None:
            self.deferred.catch_up(tokens)
        return nn.functional.embedding(tokens, self.weight, sparse=self.deferred is not None)

    def lexicon(self, tokens: Tensor | None = None) -> Tensor:
        """See `WordVectorLayer.lexicon`."""
        if self.deferred is not None:
            self.deferred.catch_up(tokens)
        return self.weight


class ContextualWords(WordVectorLayer):
    """Contextual word vectors of a frozen encoder. They are computed in advance and stored in the batch."""

    @classmethod
    def in_place_of(cls, words: WordVectorLayer) -> ContextualWords:
        """Return a layer with the same sizes and dropout probabilities as `words`."""
        return cls(words.vocabulary_size, words.embedding_size, words.dropout.p, words.word_dropout.p)

    def vectors(self, batch: SentenceBatch) -> Tensor:
        """See `WordVectorLayer.vectors`.

        Raises:
            HsEnvError: If the batch has no contextual vectors, or their width is not e.
        """
        if batch.features is None:
            raise HsEnvError(
                "This classifier needs contextual word vectors, but the batch has none. Make batches with "
                "`Classifier.batch` or `Classifier.encode`, which compute them."
            )
        vectors = batch.features.of(batch).float()
        if vectors.shape[1] != self.embedding_size:
            raise HsEnvError(f"The batch has word vectors of width {vectors.shape[1]}, expected {self.embedding_size}.")
        return vectors

    def lexicon(self, tokens: Tensor | None = None) -> None:
        """See `WordVectorLayer.lexicon`."""
        return None


class FineTunedWords(WordVectorLayer):
    """Contextual word vectors of an encoder that is trained together with the classifier.

    After training, `save` stores the encoder, and `ContextualWords` takes the place of this layer.

    Args:
        words: Layer to replace, which gives sizes and dropout probabilities.
        vectors: Pretrained encoder, and the layer of it that gives the vectors.
        vocabulary: Word of each token id.

    Attributes:
        network: Encoder.
        layer: Number of its layer whose outputs are the vectors; 0 is the embeddings.
    """

    def __init__(self, words: WordVectorLayer, vectors: ContextualVectors, vocabulary: tuple[str, ...]) -> None:
        super().__init__(words.vocabulary_size, words.embedding_size, words.dropout.p, words.word_dropout.p)
        self._encoder, self.layer, self._vocabulary = vectors.load(), vectors.layer, vocabulary
        self._encoder.model.float()  # in 16 bits small updates would be rounded away
        # Registers the encoder's weights with torch. Deep copies keep it the same object as in `_encoder`.
        self.network: nn.Module = self._encoder.network

    def vectors(self, batch: SentenceBatch) -> Tensor:
        """See `WordVectorLayer.vectors`."""
        if batch.features is not None:
            return batch.features.of(batch).float()
        rows = zip(batch.tokens.tolist(), batch.lengths.tolist(), strict=True)
        sentences = [[self._vocabulary[token] for token in tokens[:length]] for tokens, length in rows]
        return self._encoder.word_states(sentences, self.layer)

    def lexicon(self, tokens: Tensor | None = None) -> None:
        """See `WordVectorLayer.lexicon`."""
        return None

    def save(self, folder: Path) -> ContextualVectors:
        """Save the encoder with its current weights to `folder`, and return its vectors."""
        self._encoder.save(folder, self.layer)
        return load_contextual(f"{PREFIX}{folder}@{self.layer}")
