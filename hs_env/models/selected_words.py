"""Define the base of encoders that run one LSTM over the words that the actions select."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from hs_env.models.encoder import StructuredEncoder
from hs_env.models.lstm import LSTM
from hs_env.models.sentence import SentenceClassifier
from hs_env.models.state import EncoderState
from hs_env.types import SentenceBatch


class SelectedWordsLSTM(SentenceClassifier, StructuredEncoder):
    """One LSTM over the words that the actions select, and a softmax on its last state.

    The memory begins with c and h, of width d each. Arguments as for `SentenceClassifier`. The observation has width
    D = 2d + e.
    """

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        self.state_size = 2 * hidden_size + embedding_size
        self.word_level = LSTM(embedding_size, hidden_size)

    @abstractmethod
    def selected(self, actions: Tensor, lengths: Tensor) -> Tensor:
        """Return (R, T) bool, at least one word per row: the words that actions (R, T), perhaps illegal, select."""

    def tables(self, vectors: Tensor) -> tuple[Tensor, ...]:
        """Return the projection (n, 4d) and the vector (n, e) of each word."""
        return self.word_level.project(vectors), vectors

    def finish(self, state: EncoderState) -> Tensor:
        """Return class log-probabilities, (R, C), from h_L."""
        return self.classify(state.memory[:, self.hidden_size : 2 * self.hidden_size])

    def encode(self, batch: SentenceBatch, actions: Tensor) -> Tensor:
        """See `StructuredEncoder.encode`.

        The LSTM runs over the selected words of each row only. Samples of a sentence share the projections of its
        words, and samples that select the same words are computed once.
        """
        samples = actions.shape[0] // len(batch)
        selected = self.selected(actions, batch.lengths.repeat_interleave(samples))
        sentence = torch.arange(len(batch), device=actions.device).repeat_interleave(samples)
        distinct, row = torch.cat([sentence[:, None], selected], 1).unique(dim=0, return_inverse=True)
        sentence, selected = distinct[:, 0], distinct[:, 1:].bool()
        vectors, where = self.words(batch)
        h = self.word_level.last(self.word_level.project(vectors), where[sentence][selected], selected.sum(1))
        return self.classify(h.index_select(0, row))
