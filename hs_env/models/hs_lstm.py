"""Define HS-LSTM, the hierarchically structured LSTM (Zhang, Huang, Zhao, AAAI 2018).

docs/hs_lstm.md follows five words through it, with a naive version beside this one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hs_env.models.encoder import StructuredEncoder
from hs_env.models.lstm import LSTM, lstm_cell, pack
from hs_env.models.rows import put, rows_of, take
from hs_env.models.sentence import SentenceClassifier
from hs_env.models.state import EncoderState
from hs_env.problems.segmentation import END, INSIDE, SEGMENTATION
from hs_env.types import SentenceBatch


class HSLSTM(SentenceClassifier, StructuredEncoder):
    """A word-level LSTM inside each phrase, a phrase-level LSTM over the phrases, a softmax on its last state.

    With actions `INSIDE` and `END`, `a_0 = END`, and `(+)` for concatenation::

        word level    (c^w_t, h^w_t) = LSTM_w(0, 0, x_t)                    if a_{t-1} = END
                                       LSTM_w(c^w_{t-1}, h^w_{t-1}, x_t)    otherwise
        phrase level  (c^p_t, h^p_t) = LSTM_p(c^p_{t-1}, h^p_{t-1}, h^w_t)  if a_t = END
                                       (c^p_{t-1}, h^p_{t-1})               otherwise
        state         s_t = c^p_{t-1} (+) h^p_{t-1} (+) c^w_t (+) h^w_t
        class         P(y|X) = softmax(W h^p_L + b)

    The last word always ends a phrase. The encoder's memory is `s_t` itself, so `observe` copies nothing.

    Arguments as for `SentenceClassifier`. The observation has width D = 4d.

    Attributes:
        phrase_memory: Width of the phrase-level part of the memory, which comes first.
    """

    title, problem = "HS-LSTM", SEGMENTATION

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        self.state_size, self.phrase_memory = 4 * hidden_size, 2 * hidden_size
        self.word_level = LSTM(embedding_size, hidden_size)
        self.phrase_level = LSTM(hidden_size, hidden_size)

    # Step by step ----------------------------------------------------------------------------------------------------

    def tables(self, vectors: Tensor) -> tuple[Tensor, ...]:
        """Return the projection of each word (n, 4d), and its word-level state as first word of a phrase (n, 2d)."""
        projected = self.word_level.project(vectors)
        return projected, torch.cat(lstm_cell(projected, None), 1)

    def initial(self, tables: tuple[Tensor, ...], first: Tensor) -> Tensor:
        """Return a memory with a zero phrase level and the first word at the word level."""
        return nn.functional.pad(tables[1].index_select(0, first), (self.phrase_memory, 0))

    def observe(self, state: EncoderState) -> Tensor:
        """Return `c^p_{t-1} (+) h^p_{t-1} (+) c^w_t (+) h^w_t`, (R, 4d)."""
        return state.memory

    def move(self, state: EncoderState, actions: Tensor) -> Tensor:
        """Close the phrases that end, and advance to the next word.

        The phrase level is computed only where a phrase ends, and the word level only where it continues. The state
        after the first word of a phrase is looked up.
        """
        projected, fresh = state.tables
        last, reading = state.at_last_word, state.reading
        actions = actions.masked_fill(last & (actions == INSIDE), END)
        end = actions != INSIDE
        following = state.index_at(state.position + 1)
        memory, d = state.memory.clone(), self.hidden_size
        phrases, words = memory[:, : self.phrase_memory], memory[:, self.phrase_memory :]

        if (ended := rows_of(end & reading)) is not None:
            before = take(state.memory, ended)
            closed = self.close(before[:, : self.phrase_memory], before[:, -d:], take(actions, ended))
            put(phrases, ended, closed)
        if (opened := rows_of(end & ~last & reading)) is not None:
            put(words, opened, fresh.index_select(0, take(following, opened)))
        if (going := rows_of(~end & reading)) is not None:
            c_w, h_w = take(state.memory[:, -2 * d :], going).chunk(2, 1)  # not from the copy, which has changed
            put(
                words,
                going,
                torch.cat(self.word_level.step(projected.index_select(0, take(following, going)), c_w, h_w), 1),
            )
        return memory

    def outcomes(self, state: EncoderState) -> tuple[Tensor, ...]:
        """Continue the phrase with the next word, or close it and open another one unless the sentence ends."""
        projected, fresh = state.tables
        before, words = state.memory.split([self.phrase_memory, 2 * self.hidden_size], 1)
        c_w, h_w = words.chunk(2, 1)
        following = state.index_at(state.position + 1)
        going = torch.cat(self.word_level.step(projected[following], c_w, h_w), 1)
        opened = torch.where(state.at_last_word[:, None], words, fresh[following])
        closing = (torch.full_like(following, action) for action in range(END, self.problem.num_actions))
        closed = (torch.cat([self.close(before, h_w, action), opened], 1) for action in closing)
        return torch.cat([before, going], 1), *closed

    def close(self, before: Tensor, h_w: Tensor, actions: Tensor) -> Tensor:
        """Return the memory, (R, phrase_memory), after phrases that `actions` (R,) end.

        Args:
            before: (R, phrase_memory) phrase-level part of the memory before the phrases.
            h_w: (R, d) word-level states after their last words.
            actions: (R,) int64; here all are `END`, but an encoder of another problem may end phrases in several ways.
        """
        c_p, h_p = before.chunk(2, 1)
        return torch.cat(self.phrase_level.step(self.phrase_inputs(h_w), c_p, h_p), 1)

    def phrase_inputs(self, h_w: Tensor) -> Tensor:
        """Return what the phrase level computes from phrases alone, (n, 4d), from word-level states `h_w` (n, d)."""
        return self.phrase_level.project(h_w)

    def finish(self, state: EncoderState) -> Tensor:
        """Return class log-probabilities, (R, C), from h^p_L."""
        return self.classify(state.memory[:, self.hidden_size : 2 * self.hidden_size])

    # Known actions ---------------------------------------------------------------------------------------------------

    def encode(self, batch: SentenceBatch, actions: Tensor) -> Tensor:
        """See `StructuredEncoder.encode`.

        If phrases are known, they are independent sequences. The word level then takes as many steps as the longest
        phrase has words, and the phrase level as many as a row has phrases. Across samples of a sentence, phrases that
        start at the same word share word-level states; those that also end together share their phrase-level input.
        """
        rows, width = actions.shape
        samples = rows // len(batch)
        lengths = batch.lengths.repeat_interleave(samples)
        phrases = self.problem.spans(actions, lengths)
        row, start, stop = phrases.row, phrases.start, phrases.stop - 1
        sentence = row // samples
        vectors, where = self.words(batch)

        # One word-level sequence per (sentence, start), up to its last end in any sample.
        heads, head = (sentence * width + start).unique(return_inverse=True)
        span = torch.zeros_like(heads).scatter_reduce_(0, head, stop - start + 1, "amax", include_self=False)
        sequence, step, sizes = pack(span)
        words = where.flatten()[heads[sequence] + step]
        h_w = self.word_level.scan(self.word_level.project(vectors), words, sizes)

        # One phrase-level input per (sentence, start, stop).
        spot = _packed_position(sequence, step, width)
        distinct, phrase = (head * width + stop - start).unique(return_inverse=True)
        inputs = self.phrase_inputs(h_w[spot[distinct]])
        counts = torch.bincount(row, minlength=rows)
        return self.classify(self.read_phrases(inputs, phrase, counts, phrases.action))

    def read_phrases(self, inputs: Tensor, phrase: Tensor, counts: Tensor, actions: Tensor) -> Tensor:
        """Return the input of the softmax, (R, representation_size), for rows of phrases.

        Args:
            inputs: (phrases, 4d) `phrase_inputs` of the distinct phrases.
            phrase: (P,) int64 row of `inputs` for each phrase, row by row.
            counts: (R,) int64 number of phrases of each row.
            actions: (P,) int64 action that ends each phrase (see `close`).
        """
        return self.phrase_level.last(inputs, phrase, counts)

    def phrase_vectors(self, batch: SentenceBatch) -> Tensor:
        """Return the phrase-level input of each sentence as one phrase, (B, d): h^w at its last word."""
        vectors, where = self.words(batch)
        return self.word_level.last(self.word_level.project(vectors), where[batch.mask], batch.lengths)


def _packed_position(sequence: Tensor, step: Tensor, width: int) -> Tensor:
    """Return a table of packed positions, indexed by `sequence * width + step`."""
    table = sequence.new_zeros(int(sequence.max() + 1) * width)
    table[sequence * width + step] = torch.arange(len(sequence), device=sequence.device)
    return table
