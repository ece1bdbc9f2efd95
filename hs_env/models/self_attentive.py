"""The self-attentive LSTM of Lin et al. (ICLR 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hs_env.models.bilstm import TwoWayLSTM
from hs_env.models.sentence import FlatClassifier
from hs_env.types import SentenceBatch

ATTENTION_SIZE = 350
"""d_a, width of the layer that the weights of the words come from (Lin et al. 2017, section 4.1)."""
HOPS = 8
"""r, how often a sentence is looked at. Lin et al. take 30, for reviews of many sentences."""


class SelfAttentive(FlatClassifier):
    """A softmax on several weighted means of the states of a bidirectional LSTM.

    With the states of a sentence H, (L, 2d), equations 6 and 7 of the paper::

        A = softmax(W_2 tanh(W_1 H^T))      (r, L), over the words
        M = A H                             (r, 2d)

    The softmax over classes reads M directly, without the paper's hidden layer, and there is no penalty on hops that
    look at the same words.

    Arguments as `SentenceClassifier`'s.
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
        """(B, T, r) weights of the words, which sum to 1 over a sentence, and (B, T, 2d) states; 0 weight behind it."""
        vectors, where = self.words(batch)
        states = self.word_level.every(vectors, batch.lengths)
        scores = self.attention(states)[where].masked_fill(~batch.mask[..., None], -torch.inf)
        return scores.softmax(1), states[where]
