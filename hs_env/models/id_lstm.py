"""Define ID-LSTM, the information-distilled LSTM (Zhang, Huang, Zhao, AAAI 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.models.rows import put, rows_of, take
from hs_env.models.selected_words import SelectedWordsLSTM
from hs_env.models.state import EncoderState
from hs_env.problems.distillation import DISTILLATION, RETAIN, retained_words


class IDLSTM(SelectedWordsLSTM):
    """One LSTM over the words that are retained, a softmax on its last state.

    With actions `DELETE` and `RETAIN`, and `(+)` for concatenation::

        representation  (c_t, h_t) = LSTM(c_{t-1}, h_{t-1}, x_t)  if a_t = RETAIN
                                     (c_{t-1}, h_{t-1})           otherwise
        state           s_t = c_{t-1} (+) h_{t-1} (+) x_t
        class           P(y|X) = softmax(W h_L + b)

    The last word is always retained if no other word is. The memory holds c, h, and a flag that tells whether a word
    has been retained. Under relaxed actions the flag is the probability that any word is retained, if each action is an
    independent probability.
    """

    title, problem = "ID-LSTM", DISTILLATION

    def selected(self, actions: Tensor, lengths: Tensor) -> Tensor:
        """See `SelectedWordsLSTM.selected`."""
        return retained_words(actions, lengths)

    def initial(self, tables: tuple[Tensor, ...], first: Tensor) -> Tensor:
        """Return a zero memory."""
        return tables[0].new_zeros(len(first), 2 * self.hidden_size + 1)

    def observe(self, state: EncoderState) -> Tensor:
        """Return `c_{t-1} (+) h_{t-1} (+) x_t`, (R, 2d + e); of a finished sentence `c_L (+) h_L (+) x_L`."""
        vectors = state.tables[1].index_select(0, state.index_at(state.position))
        return torch.cat([state.memory[:, : 2 * self.hidden_size], vectors], 1)

    def move(self, state: EncoderState, actions: Tensor) -> Tensor:
        """Advance the LSTM, in the rows that retain their word only."""
        retained = rows_of((actions == RETAIN) & state.reading)
        if retained is None:
            return state.memory
        d, memory = self.hidden_size, state.memory.clone()
        before, projected = take(state.memory, retained), state.tables[0]
        gates = projected.index_select(0, take(state.index_at(state.position), retained))
        c, h = self.word_level.step(gates, before[:, :d], before[:, d : 2 * d])
        put(memory, retained, torch.cat([c, h, torch.ones_like(h[:, :1])], 1))
        return memory

    def outcomes(self, state: EncoderState) -> tuple[Tensor, ...]:
        """Keep the memory, or advance the LSTM by the word."""
        c, h, flag = state.memory.split([self.hidden_size, self.hidden_size, 1], 1)
        gates = state.tables[0].index_select(0, state.index_at(state.position))
        return state.memory, torch.cat([*self.word_level.step(gates, c, h), torch.ones_like(flag)], 1)

    def mix(self, state: EncoderState, actions: Tensor) -> Tensor:
        """Mix both outcomes; the last word is retained to the degree that no other word has been."""
        actions = actions if actions.ndim == 1 else actions[:, 1]
        forced = (1 - state.memory[:, -1]) * state.at_last_word
        share = torch.lerp(actions, torch.ones_like(actions), forced) * state.reading
        deleted, retained = self.outcomes(state)
        return torch.lerp(deleted, retained, share[:, None])
