"""The state of sentences that a structured encoder processes word by word."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class EncoderState:
    """State of R sentences that are processed word by word.

    Attributes:
        tables: Tensors with one row per word, shared by the R sentences (see `StructuredEncoder.tables`).
        table_index: (R, T) int64 row of each word in `tables`.
        lengths: (R,) int64 number of words.
        position: (R,) int64 position of the word to be decided; the length once a sentence is finished.
        progress: (R,) int64 summary of the actions so far, for `Problem.legal`.
        memory: (R, M) float32 state of the encoder itself.
        measured: (R, T, measures) float32, what the encoder measured at the words that have an action; else 0.
    """

    tables: tuple[Tensor, ...]
    table_index: Tensor
    lengths: Tensor
    position: Tensor
    progress: Tensor
    memory: Tensor
    measured: Tensor

    def __len__(self) -> int:
        return self.table_index.shape[0]

    def select(self, rows: slice | Tensor) -> EncoderState:
        """Return the state of some rows; a slice copies nothing."""
        return EncoderState(
            self.tables,
            self.table_index[rows],
            self.lengths[rows],
            self.position[rows],
            self.progress[rows],
            self.memory[rows],
            self.measured[rows],
        )

    def joined(self, other: EncoderState) -> EncoderState:
        """Return the rows of this state, followed by those of another one with the same tables."""
        return EncoderState(
            self.tables,
            torch.cat([self.table_index, other.table_index]),
            torch.cat([self.lengths, other.lengths]),
            torch.cat([self.position, other.position]),
            torch.cat([self.progress, other.progress]),
            torch.cat([self.memory, other.memory]),
            torch.cat([self.measured, other.measured]),
        )

    def index_at(self, position: Tensor) -> Tensor:
        """Return the rows of `tables`, (R,) int64, of the words at `position` (R,); after the end, of the last word."""
        return self.table_index.gather(1, torch.minimum(position, self.lengths - 1)[:, None]).squeeze(1)

    @property
    def left(self) -> Tensor:
        """Number of words after the one to be decided, (R,) int64; negative once a sentence is finished."""
        return self.lengths - self.position - 1

    @property
    def at_last_word(self) -> Tensor:
        """Whether the word to be decided is the last one, (R,) bool."""
        return self.position + 1 == self.lengths

    @property
    def reading(self) -> Tensor:
        """Whether there is a word to decide, (R,) bool."""
        return self.position < self.lengths
