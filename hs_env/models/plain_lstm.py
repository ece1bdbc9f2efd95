"""The baseline without structure: one LSTM over the words."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hs_env.models.lstm import LSTM, pack
from hs_env.models.words import WordEmbedding
from hs_env.types import SentenceBatch


class PlainLSTM(nn.Module):
    """A softmax on the last state of one LSTM over the words; arguments as `HSLSTM`'s."""

    def __init__(
        self,
        vocabulary_size: int,
        num_classes: int,
        embedding_size: int = 50,
        hidden_size: int = 300,
        dropout: float = 0.5,
        word_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_classes, self.hidden_size = num_classes, hidden_size
        self.words = WordEmbedding(vocabulary_size, embedding_size, dropout, word_dropout)
        self.word_level = LSTM(embedding_size, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, num_classes)

    def config(self) -> dict[str, Any]:
        """The constructor's keyword arguments."""
        return {
            "vocabulary_size": self.words.vocabulary_size,
            "num_classes": self.num_classes,
            "embedding_size": self.words.embedding_size,
            "hidden_size": self.hidden_size,
            "dropout": self.dropout.p,
            "word_dropout": self.words.word_dropout.p,
        }

    def forward(self, batch: SentenceBatch) -> Tensor:
        """(B, C) class log-probabilities."""
        vectors, where = self.words(batch)
        sequence, step, sizes = pack(batch.lengths)
        h = self.word_level.scan(self.word_level.project(vectors), where[sequence, step], sizes)
        final = h.new_empty(len(batch), dtype=torch.int64)
        last = step == batch.lengths[sequence] - 1
        final[sequence[last]] = last.nonzero().squeeze(1)
        return torch.log_softmax(self.output(self.dropout(h[final])), 1)
