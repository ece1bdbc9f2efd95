"""The baseline without structure: one LSTM over the words."""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.models.lstm import LSTM
from hs_env.models.sentence import FlatClassifier
from hs_env.types import SentenceBatch


class PlainLSTM(FlatClassifier):
    """A softmax on the last state of one LSTM over the words; arguments as `SentenceClassifier`'s."""

    title = "plain LSTM"

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        self.word_level = LSTM(embedding_size, hidden_size)

    def forward(self, batch: SentenceBatch) -> Tensor:
        """(B, C) class log-probabilities."""
        vectors, _ = self.words(batch)
        every_word = torch.arange(len(vectors), device=vectors.device)
        return self.classify(self.word_level.last(self.word_level.project(vectors), every_word, batch.lengths))
