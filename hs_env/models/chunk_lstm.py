"""Define the chunk LSTM, a character language model of two levels with an early exit, which also classifies.

The early exit and the reward that follows from it are those of Dauncey and Wattenhofer (ICML 2026, arXiv 2602.13940).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from hs_env.models.encoder import StructuredEncoder
from hs_env.models.lstm import LSTM, lstm_cell, pack
from hs_env.models.rows import put, rows_of, take
from hs_env.models.sentence import SentenceClassifier
from hs_env.models.state import EncoderState
from hs_env.problems.chunking import CHUNKING, INSIDE, chunk_ends
from hs_env.types import PADDING, SentenceBatch

EARLY_LOSS: Final = "early_loss"
"""Measure: cross-entropy of the next character by the early exit, in nats."""
LATE_LOSS: Final = "late_loss"
"""Measure: cross-entropy of the next character by the late exit, in nats."""
EARLY_WEIGHT: Final = 0.1
"""Weight of the early exit in the loss of a language model (Dauncey and Wattenhofer 2026); the late exit has the
rest."""


class ChunkLSTM(SentenceClassifier, StructuredEncoder):
    """A language model that predicts the next character twice: without the chunks, and with them.

    The action at each character says whether the chunk ends there. With `(+)` for concatenation::

        characters   (c_t, h_t) = LSTM_c(c_{t-1}, h_{t-1}, x_t)
        chunks       (C_t, H_t) = LSTM_k(C_{t-1}, H_{t-1}, h_t)    if a_t = END
                                  (C_{t-1}, H_{t-1})               otherwise
        early exit   p_t = softmax(E h_t + e)
        late exit    q_t = softmax(Q tanh(A h_t + B H_t + b) + q)
        measures     early_loss_t = -log p_t(x_{t+1});  late_loss_t = -log q_t(x_{t+1})
        class        P(y|X) = softmax(W H_L + w)

    The first and the last character always end a chunk. After the last one, the next character is `PADDING`, the end of
    the line. The character level does not depend on the actions, so neither does the early exit. Its width is a quarter
    of d: it remembers little, and the chunk level matters. The memory is `C (+) H (+) c (+) h`, followed by the two
    losses of the last step, in nats.

    Arguments as for `SentenceClassifier`. The observation is the memory without the losses, D = 2.5d.

    Attributes:
        character_size: Width of the character level, d / 4 rounded up.
    """

    title, problem = "chunk LSTM", CHUNKING
    measures = (EARLY_LOSS, LATE_LOSS)

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        self.character_size = -(-hidden_size // 4)
        self.state_size = 2 * (hidden_size + self.character_size)
        self.character_level = LSTM(embedding_size, self.character_size)
        self.chunk_level = LSTM(self.character_size, hidden_size)
        self.early = nn.Linear(self.character_size, self.words.vocabulary_size)
        self.from_character = nn.Linear(self.character_size, hidden_size)
        self.from_chunk = nn.Linear(hidden_size, hidden_size, bias=False)
        self.late = nn.Linear(hidden_size, self.words.vocabulary_size)

    # Step by step ----------------------------------------------------------------------------------------------------

    def tables(self, vectors: Tensor) -> tuple[Tensor, ...]:
        """Return the input of the character level for each character, 4 times as wide as this level."""
        return (self.character_level.project(vectors),)

    def tables_of(self, vectors: Tensor, tokens: Tensor) -> tuple[Tensor, ...]:
        """Return `tables`, and the token id of each character, (words, 1) int64, the target of a prediction."""
        return *self.tables(vectors), tokens[:, None]

    def initial(self, tables: tuple[Tensor, ...], first: Tensor) -> Tensor:
        """Return a memory with a zero chunk level, the first character at the character level, and losses of 0."""
        states = torch.cat(lstm_cell(tables[0].index_select(0, first), None), 1)
        return nn.functional.pad(states, (2 * self.hidden_size, len(self.measures)))

    def observe(self, state: EncoderState) -> Tensor:
        """Return `C_{t-1} (+) H_{t-1} (+) c_t (+) h_t`, (R, 2.5d)."""
        return state.memory[:, : self.state_size]

    def measure(self, memory: Tensor) -> Tensor:
        """Return the two losses of the last step, (R, 2)."""
        return memory[:, self.state_size :]

    def move(self, state: EncoderState, actions: Tensor) -> Tensor:
        """Compute the chunk level only where a chunk ends."""
        forced = ~self.legal(state)[:, INSIDE]
        end = (actions != INSIDE) | forced
        chunks = state.memory[:, : 2 * self.hidden_size].clone()
        if (ended := rows_of(end & state.reading)) is not None:
            before = take(state.memory, ended)
            put(chunks, ended, self._closed(before))
        return torch.where(state.reading[:, None], self._moved(state, chunks), state.memory)

    def outcomes(self, state: EncoderState) -> tuple[Tensor, ...]:
        """Return the memories after INSIDE, which keeps the chunk level, and after END, which advances it, (R, M) each.

        Both then predict the next character, whose losses they hold, and read it.
        """
        return self._moved(state, state.memory[:, : 2 * self.hidden_size]), self._moved(
            state, self._closed(state.memory)
        )

    def finish(self, state: EncoderState) -> Tensor:
        """Return class log-probabilities, (R, C), from the last state of the chunk level."""
        return self.classify(state.memory[:, self.hidden_size : 2 * self.hidden_size])

    def _closed(self, memory: Tensor) -> Tensor:
        """Return the chunk level, (R, 2d), after a chunk that ends at the current character."""
        d = self.hidden_size
        h = memory[:, self.state_size - self.character_size : self.state_size]
        return torch.cat(self.chunk_level.step(self.chunk_level.project(h), memory[:, :d], memory[:, d : 2 * d]), 1)

    def _moved(self, state: EncoderState, chunks: Tensor) -> Tensor:
        """Return the memory, (R, M), after the current character, given the chunk level (R, 2d) after it."""
        d, (projected, tokens) = self.hidden_size, state.tables
        following = state.index_at(state.position + 1)
        before = state.memory[:, 2 * d : self.state_size]
        c, h = before.chunk(2, 1)
        target = tokens[following, 0].masked_fill(state.at_last_word, PADDING)
        losses = self._losses(self.early(h), self._late(h, self.from_chunk(chunks[:, d:])), target)
        characters = torch.cat(self.character_level.step(projected[following], c, h), 1)
        characters = torch.where(state.at_last_word[:, None], before, characters)
        return torch.cat([chunks, characters, losses], 1)

    def _late(self, h: Tensor, projected: Tensor) -> Tensor:
        """Return the logits of the late exit, (n, V), from `h` of characters and the projected chunk level (n, d)."""
        logits: Tensor = self.late(torch.tanh(self.from_character(h) + projected))
        return logits

    def _losses(self, early: Tensor, late: Tensor, target: Tensor) -> Tensor:
        """Return the losses of both exits, (n, 2), from their logits (n, V) and the next characters (n,)."""
        both = [nn.functional.cross_entropy(logits, target, reduction="none") for logits in (early, late)]
        return torch.stack(both, 1)

    def penalised(self, batch: SentenceBatch, actions: Tensor) -> tuple[Tensor, Tensor]:
        """See `StructuredEncoder.penalised`; the scalar is the loss of the language model, in nats per character."""
        log_probs, measured = self.encode_measured(batch, actions)
        early, late = measured.sum((0, 1)) / batch.lengths.sum() * (len(batch) / len(actions))
        return log_probs, EARLY_WEIGHT * early + (1 - EARLY_WEIGHT) * late

    # Known actions ---------------------------------------------------------------------------------------------------

    def encode(self, batch: SentenceBatch, actions: Tensor) -> Tensor:
        """See `StructuredEncoder.encode`."""
        return self.encode_measured(batch, actions)[0]

    def encode_measured(self, batch: SentenceBatch, actions: Tensor) -> tuple[Tensor, Tensor]:
        """See `StructuredEncoder.encode_measured`.

        The character level is computed once per sentence. The chunk level takes as many steps as a row has chunks.
        """
        rows, width = actions.shape
        samples = rows // len(batch)
        lengths = batch.lengths.repeat_interleave(samples)
        vectors, where = self.words(batch)
        mask = batch.mask
        h = self.character_level.every(vectors, batch.lengths)

        ends = chunk_ends(actions, lengths)
        row, last = ends.nonzero().unbind(1)
        inputs = self.chunk_level.project(h)
        H = _all_states(self.chunk_level, inputs, where[row // samples, last], ends.sum(1))  # noqa: N806
        chunk = ends.flatten().cumsum(0).sub(1).view(rows, width)  # number of the last chunk that has ended
        final = ends.sum(1).cumsum(0) - 1

        words = mask.repeat_interleave(samples, 0)
        place = where.repeat_interleave(samples, 0)[words]
        following = nn.functional.pad(batch.tokens[:, 1:], (0, 1), value=PADDING)
        following = following.masked_fill(~nn.functional.pad(mask[:, 1:], (0, 1)), PADDING)
        target = following.repeat_interleave(samples, 0)[words]
        late = self.late(torch.tanh(self.from_character(h)[place] + self.from_chunk(H)[chunk[words]]))
        losses = self._losses(self.early(h)[place], late, target)
        measured = losses.new_zeros(rows, width, len(self.measures))
        return self.classify(H[final]), measured.masked_scatter(words[:, :, None], losses)


def _all_states(level: LSTM, projected: Tensor, index: Tensor, lengths: Tensor) -> Tensor:
    """Return all hidden states of sequences, one after the other, (words, d).

    Args:
        level: LSTM.
        projected: (rows, 4d) projected inputs.
        index: (words,) int64 row of `projected` for each word, one sequence after the other.
        lengths: (sequences,) int64 numbers of words, at least 1.
    """
    sequence, step, sizes = pack(lengths)
    order = (lengths.cumsum(0) - lengths)[sequence] + step
    return level.scan(projected, index[order], sizes)[order.argsort()]
