"""HS-LSTM whose verdict attends to all its phrases."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hs_env.models.encoder import EncoderState
from hs_env.models.hs_lstm import HSLSTM
from hs_env.models.lstm import pack

ATTENTION_SIZE = 100
"""Width of the layer that the weights of the phrases come from."""
MAX_SCORE = 30.0
"""Bound of a phrase's score."""


class AttentiveHSLSTM(HSLSTM):
    """HS-LSTM with a softmax on a weighted mean of its phrase-level states, in place of the last one.

    With the phrase-level state `h_k` after each phrase k, as words are weighted by Yang et al. (NAACL 2016)::

        e_k = u . tanh(W h_k + b), held between -30 and 30
        a_k = exp(e_k) / sum_j exp(e_j)
        P(y|X) = softmax(W' sum_k a_k h_k + b')

    What a policy sees is HS-LSTM's: c^p, h^p, c^w and h^w. The memory holds besides the mean over the phrases so far
    and the sum of their exp(e), from which the next mean follows; of a relaxed action both are mixed as they stand.
    The bounds keep sums of exp(e) finite and apart from 0; within them nothing is lost, for a phrase 60 below another
    has no weight in float32.

    Arguments as `SentenceClassifier`'s; the state has D = 4d.
    """

    title = "HS-LSTM with attention"

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        super().build(embedding_size, hidden_size)
        self.phrase_memory = 3 * hidden_size + 1
        self.attention = nn.Sequential(
            nn.Linear(hidden_size, ATTENTION_SIZE), nn.Tanh(), nn.Linear(ATTENTION_SIZE, 1, bias=False)
        )

    def observe(self, state: EncoderState) -> Tensor:
        """(R, 4d): c^p_{t-1} (+) h^p_{t-1} (+) c^w_t (+) h^w_t."""
        return torch.cat([state.memory[:, : 2 * self.hidden_size], state.memory[:, self.phrase_memory :]], 1)

    def close(self, before: Tensor, h_w: Tensor) -> Tensor:
        """See `HSLSTM.close`."""
        d = self.hidden_size
        level, mean, mass = before.split([2 * d, d, 1], 1)
        level = super().close(level, h_w)
        weight = self.weigh(level[:, d:])
        mass = mass + weight
        return torch.cat([level, torch.lerp(mean, level[:, d:], weight / mass), mass], 1)

    def weigh(self, h: Tensor) -> Tensor:
        """(n, 1): exp(e) of phrase-level states (n, d)."""
        weight: Tensor = self.attention(h).clamp(-MAX_SCORE, MAX_SCORE).exp()
        return weight

    def finish(self, state: EncoderState) -> Tensor:
        """(R, C) from the mean over the phrases."""
        return self.classify(state.memory[:, 2 * self.hidden_size : 3 * self.hidden_size])

    def read_phrases(self, inputs: Tensor, phrase: Tensor, counts: Tensor) -> Tensor:
        """See `HSLSTM.read_phrases`."""
        row, step, sizes = pack(counts)
        h = self.phrase_level.scan(inputs, phrase[(counts.cumsum(0) - counts)[row] + step], sizes)
        weight = self.weigh(h)
        total = h.new_zeros(len(counts), self.hidden_size).index_add(0, row, weight * h)
        return total / h.new_zeros(len(counts), 1).index_add(0, row, weight)
