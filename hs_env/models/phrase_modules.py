"""Define a small neural module network: HS-LSTM whose policy also chooses the module that reads each phrase."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hs_env.models.hs_lstm import HSLSTM
from hs_env.models.lstm import LSTM, pack
from hs_env.models.state import EncoderState
from hs_env.problems.modules import ASSERT, CONTRAST, MODULES, NEGATE, SCALE

MOST_OCTAVES = 2.0
"""Largest absolute base-2 logarithm of a factor of `SCALE`."""
LIMIT = 1000.0
"""Largest absolute value in the state of a sentence, as in the observation space of the environment."""


class PhraseModuleNetwork(HSLSTM):
    """HS-LSTM with four modules in place of the phrase-level LSTM; the action that ends a phrase chooses one.

    With the hidden state `h` of the word level after the last word of a phrase, and the state `s` of the sentence,
    0 at first::

        ASSERT      s' = s + W h + b
        NEGATE      s' = -s
        SCALE       s' = 2^(2 tanh(v . h + e)) s
        CONTRAST    s' = W h + b
        class       P(y|X) = softmax(U s + f)

    All are of the form `s' = a s + x`, and `s'` is clamped to [-1000, 1000]. Because the modules are linear in `s`, a
    composition of many is as exact as one: two negations cancel. The policy sees `s (+) c^w (+) h^w`, D = 3d.

    Arguments as for `SentenceClassifier`.
    """

    title, problem = "phrase modules", MODULES

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        self.state_size, self.phrase_memory = 3 * hidden_size, hidden_size
        self.word_level = LSTM(embedding_size, hidden_size)
        self.assertion = nn.Linear(hidden_size, hidden_size)
        self.factor = nn.Linear(hidden_size, 1)

    def phrase_inputs(self, h_w: Tensor) -> Tensor:
        """Return the assertion (d) and the factor (1) of phrases, (n, d + 1), from word-level states `h_w` (n, d)."""
        return torch.cat([self.assertion(h_w), torch.exp2(MOST_OCTAVES * torch.tanh(self.factor(h_w)))], 1)

    def close(self, before: Tensor, h_w: Tensor, actions: Tensor) -> Tensor:
        """See `HSLSTM.close`."""
        return _apply(before, self.phrase_inputs(h_w), actions)

    def finish(self, state: EncoderState) -> Tensor:
        """Return class log-probabilities, (R, C), from the state of the sentence."""
        return self.classify(state.memory[:, : self.hidden_size])

    def read_phrases(self, inputs: Tensor, phrase: Tensor, counts: Tensor, actions: Tensor) -> Tensor:
        """See `HSLSTM.read_phrases`; applies the modules of all rows at one phrase position together."""
        row, step, sizes = pack(counts)
        place = (counts.cumsum(0) - counts)[row] + step
        inputs, actions = inputs[phrase[place]], actions[place]
        states = inputs.new_zeros(sizes[0], self.hidden_size)
        finished, start = [], 0
        for size in sizes:
            finished.append(states[size:])
            states = _apply(states[:size], inputs[start : start + size], actions[start : start + size])
            start += size
        last = torch.cat([states, *reversed(finished)])  # in the order of the rows at the first step
        return torch.empty_like(last).index_copy(0, row[: sizes[0]], last)


def _apply(states: Tensor, inputs: Tensor, actions: Tensor) -> Tensor:
    """Return the states (R, d) after the modules of `actions` (R,), given `phrase_inputs` (R, d + 1)."""
    chosen = actions[:, None]
    kept = torch.where(chosen == SCALE, inputs[:, -1:], 1.0 - 2.0 * (chosen == NEGATE))
    added = torch.where((chosen == ASSERT) | (chosen == CONTRAST), inputs[:, :-1], 0.0)
    return (kept * (chosen != CONTRAST) * states + added).clamp(-LIMIT, LIMIT)
