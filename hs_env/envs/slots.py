"""N sentences that a frozen encoder reads in parallel: the common core of all environments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from hs_env.compute import CPU, to_array
from hs_env.envs.columns import Columns
from hs_env.envs.resources import Resources
from hs_env.models import EncoderState
from hs_env.problems.problem import nearest_legal
from hs_env.types import Episodes, Originals, Sentence, SentenceBatch, Steps

STATE_LIMIT: Final = 1000.0
"""Bound of every component of an observation.

An LSTM cell grows by at most 1 per step, because gates and candidate are at most 1 in size. So sentences of up to 1000
words stay within the bound. Values beyond it are clipped.
"""


class Slots:
    """N slots. Each holds one sentence, which may already be finished. A step calls the encoder once for all slots.

    Args:
        resources: Encoder, lexicon and reward.
        count: Number of slots N.

    Attributes:
        position: (N,) int64 index of each slot's current word; equals `lengths` once its sentence is finished.
        lengths: (N,) int64 numbers of words.
        indices: (N,) int64 indices of the sentences in the split.
        tokens: (N, T) int64 token ids; each row has one or more `PADDING` after the last word.
        actions: (N, T) int64 actions so far, 0 from the current word on.
        progress: (N,) int64, see `Problem.progress_after`.
        legal: (N, k) bool, the legal actions.
        measured: (N, T, measures) float32, what the encoder measured, see `EncoderState`.
        shaping: (N,) float32 change of the shaping potential in the last step; 0 without `Resources.shaping`.
        dense: (N,) float32, what a dense reward gave in the last step; 0 for other rewards.
    """

    def __init__(self, resources: Resources, count: int) -> None:
        self.resources = resources
        device = resources.device
        nothing = torch.zeros(count, dtype=torch.int64, device=device)
        width = int(resources.encoded.sizes.max()) + 1
        self.position, self.lengths, self.labels, self.indices, self.progress = (nothing.clone() for _ in range(5))
        self.tokens, self.actions, self.gold_actions = (nothing[:, None].repeat(1, width) for _ in range(3))
        self.has_gold = [False] * count
        self.legal = torch.ones(count, resources.encoder.problem.num_actions, dtype=torch.bool, device=device)
        self.memory = torch.empty(count, 0, device=device)
        self.measured = torch.zeros(count, width, len(resources.encoder.measures), device=device)
        self._tables: tuple[Tensor, ...] = ()
        self._originals: list[Sentence | None] = [None] * count
        self.potential, self.shaping, self.dense = torch.zeros(3, count, device=device).unbind(0)

    @property
    def nbytes(self) -> int:
        """Memory of all slots in bytes, without the lexicon, which they share."""
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, Tensor))

    @property
    def earned(self) -> Tensor:
        """(N,) float32 reward of the last step, without what an episode earns at its last word alone."""
        return self.shaping + self.dense

    @property
    def reading(self) -> Tensor:
        """(N,) bool, whether the sentence is unfinished."""
        return self.position < self.lengths

    def begin(self, rows: Tensor, batch: SentenceBatch, places: Sequence[int] = (0,)) -> None:
        """Start the sentences of a batch in the slots `rows`, (R,) int64; `places` are the same numbers."""
        missing = batch.tokens.shape[1] + 1 - self.tokens.shape[1]
        if missing > 0:
            for name in ("tokens", "actions", "gold_actions"):
                setattr(self, name, pad(getattr(self, name), (0, missing)))
            self.measured = pad(self.measured, (0, 0, 0, missing))
        padding = (0, self.tokens.shape[1] - batch.tokens.shape[1])
        self.tokens.index_copy_(0, rows, pad(batch.tokens, padding))
        self.actions.index_fill_(0, rows, 0)
        if batch.gold_actions is not None:
            self.gold_actions.index_copy_(0, rows, pad(batch.gold_actions, padding))
        self.lengths[rows], self.labels[rows], self.indices[rows] = batch.lengths, batch.labels, batch.indices
        originals = [None] * len(rows) if batch.originals is None else batch.originals.rows()
        for place, sentence in zip(places, originals, strict=True):
            self._originals[place], self.has_gold[place] = sentence, batch.gold_actions is not None
        state = self._begin(rows, batch)
        if self.memory.shape[1] != state.memory.shape[1]:
            self.memory = state.memory.new_zeros(len(self.memory), state.memory.shape[1])
        self.memory.index_copy_(0, rows, state.memory)
        self.measured.index_fill_(0, rows, 0)
        self.position.index_fill_(0, rows, 0)
        self.progress.index_fill_(0, rows, 0)
        self.legal.index_copy_(0, rows, self.resources.encoder.legal(state))
        if self.resources.shaping:
            self.potential[rows] = self._potential()[rows]

    def _begin(self, rows: Tensor, batch: SentenceBatch) -> EncoderState:
        """Return the first state of a batch; without a lexicon, store its tables for the slots `rows`."""
        encoder, lexicon = self.resources.encoder, self.resources.lexicon
        if lexicon is not None:
            return encoder.begin(lexicon, batch.tokens, batch.lengths)
        state = encoder.start(batch)
        count, width = self.tokens.shape
        if not self._tables:
            self._tables = tuple(table.new_empty(count, 0, table.shape[1]) for table in state.tables)
        missing = width - self._tables[0].shape[1]
        self._tables = tuple(pad(table, (0, 0, 0, missing)) for table in self._tables) if missing else self._tables
        for table, own in zip(state.tables, self._tables, strict=True):
            own[rows, : state.table_index.shape[1]] = table[state.table_index]
        return state

    def advance(self, actions: Tensor) -> None:
        """Take actions (N,) int64; illegal ones are replaced, and finished sentences do not change."""
        chosen, at, reading = nearest_legal(self.legal, actions), self.position, self.reading
        self.actions.scatter_(1, self.position[:, None], (chosen * self.reading)[:, None])
        encoder = self.resources.encoder
        state = encoder.advance(self._state, chosen, assume_legal=True)
        if self.resources.reward.dense:  # if it fails, the state stays as it was
            row = torch.arange(len(at), device=at.device)
            measures = encoder.named(state.measured[row, at][:, None])
            self.dense = self.resources.reward.checked_steps(Steps(chosen[:, None], measures), reading[:, None])[:, 0]
        self.memory, self.position, self.progress = state.memory, state.position, state.progress
        self.legal, self.measured = encoder.legal(state), state.measured
        if self.resources.shaping:
            before, self.potential = self.potential, self._potential()
            self.shaping = self.potential - before

    def observe(self, rows: Tensor | None = None) -> Tensor:
        """Return observations (N, D) float32, or (R, D) of the slots `rows`, clipped to `STATE_LIMIT`."""
        state = self._state if rows is None else self._state.select(rows)
        return self.resources.encoder.observe(state).clamp(-STATE_LIMIT, STATE_LIMIT)

    def columns(self, rows: Tensor | None = None) -> Columns:
        """Return the infos of every step: views for all slots, or copies for the slots `rows`, (R,) int64."""
        return columns_of(self.info_tensors(rows))

    def info_tensors(self, rows: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the tensors from which `columns_of` makes the infos of every step."""
        token = self.tokens.gather(1, self.position[:, None]).squeeze(1)
        tensors = (self.legal, self.position, self.lengths, self.indices, token)
        return tensors if rows is None else tuple(each[rows] for each in tensors)

    def episodes(self, rows: Tensor, width: int, places: Sequence[int] = (0,)) -> Episodes:
        """Classify and return the finished episodes of the slots `rows`, (R,) int64.

        Args:
            rows: Slots.
            width: Largest number of words.
            places: Slots as Python numbers.
        """
        lengths = self.lengths[rows]
        found = [sentence for place in places if (sentence := self._originals[place]) is not None]
        known = len(found) == len(rows)
        sentences = SentenceBatch(
            self.tokens[rows, :width],
            lengths,
            self.labels[rows],
            self.indices[rows],
            self.gold_actions[rows, :width] if all(self.has_gold[place] for place in places) else None,
            originals=Originals(found, torch.arange(len(rows), device=CPU)) if known else None,
        )
        return self.resources.encoder.episodes(sentences, self.actions[rows, :width], self._state.select(rows))

    def _potential(self) -> Tensor:
        """Return (N,) log P(gold | words so far), or of the predicted class if unlabelled; 0 once finished."""
        log_probs = self.resources.encoder.finish(self._state)
        gold = torch.where(self.labels < 0, log_probs.argmax(1), self.labels)
        return log_probs.gather(1, gold[:, None]).squeeze(1) * self.reading

    @property
    def _state(self) -> EncoderState:
        tables, index = self.resources.lexicon, self.tokens
        if tables is None:
            tables = tuple(table.flatten(0, 1) for table in self._tables)
            index = torch.arange(index.numel(), device=index.device).view_as(index)
        return EncoderState(tables, index, self.lengths, self.position, self.progress, self.memory, self.measured)


def columns_of(tensors: tuple[Tensor, ...]) -> Columns:
    """Return the infos of every step from `Slots.info_tensors`. Here arrays leave the device."""
    legal, position, length, index, token = map(to_array, tensors)
    return {"action_mask": legal.view(np.int8), "position": position, "length": length, "index": index, "token": token}
