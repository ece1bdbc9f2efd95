"""The bidirectional LSTM, with its last states as a classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hs_env.models.lstm import LSTM, pack
from hs_env.models.sentence import FlatClassifier
from hs_env.types import SentenceBatch


class TwoWayLSTM(nn.Module):
    """One LSTM over the words and one over them in reverse (Schuster and Paliwal 1997; Graves and Schmidhuber 2005).

    Args:
        input_size: e, width of the inputs.
        hidden_size: d, width of the state of each direction.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.onward, self.back = LSTM(input_size, hidden_size), LSTM(input_size, hidden_size)

    def last(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """(B, 2d): the last state of either direction, of B sentences whose words `vectors` (N, e) holds in a row."""
        states = self.every(vectors, lengths)
        d, stops = self.onward.hidden_size, lengths.cumsum(0)
        return torch.cat([states[stops - 1, :d], states[stops - lengths, d:]], 1)

    def every(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """(N, 2d): the states at each word, of B sentences whose words `vectors` (N, e) holds in a row."""
        sequence, step, sizes = pack(lengths)
        starts = (lengths.cumsum(0) - lengths)[sequence]
        onward, back = starts + step, starts + lengths[sequence] - 1 - step
        return torch.cat(
            [
                direction.scan(direction.project(vectors), order, sizes)[order.argsort()]
                for direction, order in ((self.onward, onward), (self.back, back))
            ],
            1,
        )


class BiLSTM(FlatClassifier):
    """A softmax on the last states of a bidirectional LSTM, 2d wide; arguments as `SentenceClassifier`'s."""

    title = "bidirectional LSTM"

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        self.representation_size = 2 * hidden_size
        self.word_level = TwoWayLSTM(embedding_size, hidden_size)

    def forward(self, batch: SentenceBatch) -> Tensor:
        """See `FlatClassifier.forward`."""
        return self.classify(self.word_level.last(self.words(batch)[0], batch.lengths))
