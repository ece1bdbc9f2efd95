"""The self-attentive LSTM of Lin et al. (ICLR 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hs_env.models.bilstm import TwoWayLSTM
from hs_env.models.sentence import FlatClassifier
from hs_env.types import SentenceBatch

ATTENTION_SIZE = 350
"""d_a, width of the hidden layer of the attention (Lin et al. 2017, section 4.1)."""
HOPS = 8
"""r, number of attention distributions per sentence. Lin et al. use 30, for reviews of many sentences."""


class SelfAttentive(FlatClassifier):
    """A bidirectional LSTM with a softmax on r weighted means of its states (Lin et al. 2017, equations 6 and 7).

    With the states H (L, 2d) of a sentence::

        A = softmax(W_2 tanh(W_1 H^T))      (r, L), each row sums to 1 over the words
        means = A H                         (r, 2d)
        P(y|X) = softmax(W means + b)       all r rows side by side

    Two parts of the paper are left out: the hidden layer between the means and the classes, and the penalty on equal
    rows of A.

    Arguments as for `SentenceClassifier`.
    """

    title = "self-attentive LSTM"

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        self.representation_size = HOPS * 2 * hidden_size
        self.word_level = TwoWayLSTM(embedding_size, hidden_size)
        self.attention = nn.Sequential(
            nn.Linear(2 * hidden_size, ATTENTION_SIZE, bias=False),
            nn.Tanh(),
            nn.Linear(ATTENTION_SIZE, HOPS, bias=False),
        )

    def forward(self, batch: SentenceBatch) -> Tensor:
        """See `FlatClassifier.forward`."""
        weights, states = self.attend(batch)
        return self.classify((weights.transpose(1, 2) @ states).flatten(1))

    def attend(self, batch: SentenceBatch) -> tuple[Tensor, Tensor]:
        """Compute the attention weights and the states that they weight.

        Returns:
            (B, T, r) weights, which sum to 1 over the words of a sentence and are 0 after its last word; and (B, T, 2d)
            states, arbitrary after the last word.
        """
        vectors, where = self.words(batch)
        states = self.word_level.every(vectors, batch.lengths)
        scores = self.attention(states)[where].masked_fill(~batch.mask[..., None], -torch.inf)
        return scores.softmax(1), states[where]
