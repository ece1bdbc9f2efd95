"""The bidirectional LSTM, and the classifier on its final states."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hs_env.models.lstm import LSTM, pack
from hs_env.models.sentence import FlatClassifier
from hs_env.types import SentenceBatch


class TwoWayLSTM(nn.Module):
    """A bidirectional LSTM (Schuster and Paliwal 1997; Graves and Schmidhuber 2005).

    For the words x_1 to x_L of a sentence::

        f_t = LSTM_onward(f_{t-1}, x_t)
        b_t = LSTM_back(b_{t+1}, x_t)

    Args:
        input_size: e, width of the inputs.
        hidden_size: d, width of the hidden state of each direction.

    Attributes:
        onward: LSTM from the first word to the last.
        back: LSTM from the last word to the first.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.onward, self.back = LSTM(input_size, hidden_size), LSTM(input_size, hidden_size)

    def last(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Return the final states of both directions, `f_L (+) b_1` (B, 2d); arguments as for `every`."""
        states = self.every(vectors, lengths)
        d, stops = self.onward.hidden_size, lengths.cumsum(0)
        return torch.cat([states[stops - 1, :d], states[stops - lengths, d:]], 1)

    def every(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Compute the states of both directions at each word.

        Args:
            vectors: (words, e) word vectors of B sentences, one sentence after the other, without padding.
            lengths: (B,) int64, number of words of each sentence.

        Returns:
            (words, 2d) states `f_t (+) b_t`, in the order of `vectors`.
        """
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
    """A bidirectional LSTM with a softmax on its final states: `P(y|X) = softmax(W (f_L (+) b_1) + b)`.

    Arguments as for `SentenceClassifier`.
    """

    title = "bidirectional LSTM"

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        self.representation_size = 2 * hidden_size
        self.word_level = TwoWayLSTM(embedding_size, hidden_size)

    def forward(self, batch: SentenceBatch) -> Tensor:
        """See `FlatClassifier.forward`."""
        return self.classify(self.word_level.last(self.words(batch)[0], batch.lengths))
