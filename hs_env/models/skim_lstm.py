"""Define the skimming LSTM, which reads a part of the words (after Yu, Lee and Le, ACL 2017)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from hs_env.models.lstm import lstm_cell
from hs_env.models.rows import put, rows_of, take
from hs_env.models.selected_words import SelectedWordsLSTM
from hs_env.models.state import EncoderState
from hs_env.problems.skimming import NEXT, SKIMMING, SKIP, SKIPPED, STOP, words_read


class SkimLSTM(SelectedWordsLSTM):
    """One LSTM over the words that are read, a softmax on its last state.

    With actions `NEXT`, `STOP` and `SKIP`, and `(+)` for concatenation::

        representation  (c_t, h_t) = LSTM(c_{t-1}, h_{t-1}, x_t)  if word t is read
                                     (c_{t-1}, h_{t-1})           otherwise
        state           s_t = c_t (+) h_t (+) x_t                 if word t is read
                              c_t (+) h_t (+) 0                   otherwise
        class           P(y|X) = softmax(W h_L + b)

    The action at a word decides whether the next ones are read, so no skipped word is an input of the LSTM or of the
    policy. The memory holds c and h. Under relaxed actions, a `SKIP` of any weight skips its words for all weights.
    """

    title, problem = "skim LSTM", SKIMMING

    def selected(self, actions: Tensor, lengths: Tensor) -> Tensor:
        """See `SelectedWordsLSTM.selected`."""
        return words_read(SKIMMING.legalised(actions, lengths), lengths)

    def initial(self, tables: tuple[Tensor, ...], first: Tensor) -> Tensor:
        """Return the state of the LSTM after the first word."""
        return torch.cat(lstm_cell(tables[0].index_select(0, first), None), 1)

    def observe(self, state: EncoderState) -> Tensor:
        """Return `c_t (+) h_t (+) x_t`, (R, 2d + e); 0 in place of x_t at a skipped word and after the last word."""
        vectors = state.tables[1].index_select(0, state.index_at(state.position))
        seen = state.reading & (state.progress == 0)
        return torch.cat([state.memory, torch.where(seen[:, None], vectors, 0.0)], 1)

    def move(self, state: EncoderState, actions: Tensor) -> Tensor:
        """Advance the LSTM by the next word, in the rows that read it only."""
        reading = rows_of((actions == NEXT) & _nears_a_word(state))
        if reading is None:
            return state.memory
        memory = state.memory.clone()
        following = take(state.index_at(state.position + 1), reading)
        put(memory, reading, self._after(state.tables[0].index_select(0, following), take(state.memory, reading)))
        return memory

    def outcomes(self, state: EncoderState) -> tuple[Tensor, ...]:
        """Advance the LSTM by the next word if it is read, or keep the memory."""
        gates = state.tables[0].index_select(0, state.index_at(state.position + 1))
        following = torch.where(_nears_a_word(state)[:, None], self._after(gates, state.memory), state.memory)
        return following, state.memory, state.memory

    def jump(self, state: EncoderState, actions: Tensor) -> EncoderState:
        """Apply legal actions (R,) of rows at words that are read, and go to the next word that each row reads.

        This is `advance`, repeated over the skipped words of each row. So rows are at different positions afterwards.
        """
        there = state.position + torch.where(actions == SKIP, 1 + SKIPPED, 1)
        there = torch.where(actions == STOP, state.lengths, there)
        at = replace(state, position=there)
        reading = rows_of(at.reading)
        if reading is None:
            return at
        memory = state.memory.clone()
        gates = state.tables[0].index_select(0, take(at.index_at(there), reading))
        put(memory, reading, self._after(gates, take(state.memory, reading)))
        return replace(at, memory=memory)

    def _after(self, projected: Tensor, memory: Tensor) -> Tensor:
        """Return the memory (n, 2d) after words whose projections (n, 4d) are read."""
        return torch.cat(self.word_level.step(projected, *memory.chunk(2, 1)), 1)


def _nears_a_word(state: EncoderState) -> Tensor:
    """Return whether `NEXT` reads a word, (R,) bool: one follows, and this is not one of several words to skip."""
    return (state.left > 0) & ((state.progress == 0) | (state.progress == 1))
