"""The baseline without structure: one LSTM over all words."""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.models.lstm import LSTM
from hs_env.models.sentence import FlatClassifier
from hs_env.types import SentenceBatch


class PlainLSTM(FlatClassifier):
    """One LSTM over all words with a softmax on its last hidden state: `P(y|X) = softmax(W h_L + b)`.

    Arguments as for `SentenceClassifier`.
    """

    title = "plain LSTM"

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        self.word_level = LSTM(embedding_size, hidden_size)

    def forward(self, batch: SentenceBatch) -> Tensor:
        """See `FlatClassifier.forward`."""
        vectors, _ = self.words(batch)
        every_word = torch.arange(len(vectors), device=vectors.device)
        return self.classify(self.word_level.last(self.word_level.project(vectors), every_word, batch.lengths))
