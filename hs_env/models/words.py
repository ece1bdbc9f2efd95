"""Word vectors of a batch, each word once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hs_env.types import PADDING, SentenceBatch


class WordEmbedding(nn.Module):
    """Looks up the words of a batch without its padding.

    Args:
        vocabulary_size: V, padding and unknown word included.
        embedding_size: e.
        dropout: Probability that a component of a vector is dropped, in training mode.
        word_dropout: Probability that a whole vector is dropped, in training mode (Iyyer et al. 2015).
    """

    def __init__(self, vocabulary_size: int, embedding_size: int, dropout: float, word_dropout: float) -> None:
        super().__init__()
        self.vocabulary_size, self.embedding_size = vocabulary_size, embedding_size
        self.weight = nn.Parameter(torch.empty(vocabulary_size, embedding_size).uniform_(-0.25, 0.25))
        self.dropout, self.word_dropout = nn.Dropout(dropout), nn.Dropout(word_dropout)
        with torch.no_grad():
            self.weight[PADDING].zero_()

    def forward(self, batch: SentenceBatch) -> tuple[Tensor, Tensor]:
        """The vectors of the batch's N words, sentence after sentence.

        Returns:
            (N, e) vectors, and (B, T) int64: which of them each word has (0 behind the end of a sentence).
        """
        mask = batch.mask
        where = mask.new_zeros(mask.shape, dtype=torch.int64)
        where[mask] = torch.arange(int(batch.lengths.sum()), device=mask.device)
        vectors = self.dropout(nn.functional.embedding(batch.tokens[mask], self.weight))
        return vectors * self.word_dropout(vectors.new_ones(len(vectors), 1)), where
