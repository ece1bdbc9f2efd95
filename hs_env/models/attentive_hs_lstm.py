"""Define HS-LSTM with attention over all phrases of the sentence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hs_env.models.hs_lstm import HSLSTM
from hs_env.models.lstm import pack
from hs_env.models.state import EncoderState

ATTENTION_SIZE = 100
"""Width of the attention's hidden layer."""
MAX_SCORE = 30.0
"""Largest absolute value of a phrase's score."""


class AttentiveHSLSTM(HSLSTM):
    """HS-LSTM that classifies from a weighted mean of all phrase-level states, not from the last one.

    The attention of Yang et al. (NAACL 2016, equations 5 to 7) over words is applied to phrases here. With the
    phrase-level hidden state `h_j` after phrase j::

        s_j = u . tanh(W h_j + b), clamped to [-30, 30]
        a_j = exp(s_j) / sum_i exp(s_i)
        P(y|X) = softmax(W' sum_j a_j h_j + b')

    The policy sees the same state as in HS-LSTM, D = 4d. The memory also holds the weighted mean of the phrases so far
    (width d) and the sum of their exp(s) (width 1), which suffice to update the mean. Relaxed actions mix the memories
    linearly.

    The clamping keeps the sum of exp(s) finite and above 0. It costs no precision: in float32 a phrase whose score is
    60 below another one has no weight anyway.

    Arguments as for `SentenceClassifier`.
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
        """Return what the policy sees, `c^p_{t-1} (+) h^p_{t-1} (+) c^w_t (+) h^w_t` (R, 4d) float32."""
        return torch.cat([state.memory[:, : 2 * self.hidden_size], state.memory[:, self.phrase_memory :]], 1)

    def close(self, before: Tensor, h_w: Tensor, actions: Tensor) -> Tensor:
        """See `HSLSTM.close`."""
        d = self.hidden_size
        level, mean, mass = before.split([2 * d, d, 1], 1)
        level = super().close(level, h_w, actions)
        weight = self.weigh(level[:, d:])
        mass = mass + weight
        return torch.cat([level, torch.lerp(mean, level[:, d:], weight / mass), mass], 1)

    def weigh(self, h: Tensor) -> Tensor:
        """Return the unnormalised weights exp(s), (n, 1), of phrase-level hidden states `h` (n, d)."""
        weight: Tensor = self.attention(h).clamp(-MAX_SCORE, MAX_SCORE).exp()
        return weight

    def finish(self, state: EncoderState) -> Tensor:
        """Return class log-probabilities, (R, C), from the weighted mean over the phrases."""
        return self.classify(state.memory[:, 2 * self.hidden_size : 3 * self.hidden_size])

    def read_phrases(self, inputs: Tensor, phrase: Tensor, counts: Tensor, actions: Tensor) -> Tensor:
        """See `HSLSTM.read_phrases`."""
        row, step, sizes = pack(counts)
        h = self.phrase_level.scan(inputs, phrase[(counts.cumsum(0) - counts)[row] + step], sizes)
        weight = self.weigh(h)
        total = h.new_zeros(len(counts), self.hidden_size).index_add(0, row, weight * h)
        return total / h.new_zeros(len(counts), 1).index_add(0, row, weight)
