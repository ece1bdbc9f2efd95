"""Spans of words that actions make, and the parts of a sentence that a picture shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Spans:
    """P groups of consecutive words, ordered by row and then by end.

    Attributes:
        row: (P,) int64 rows (episodes).
        start: (P,) int64 indices of the first words.
        stop: (P,) int64 indices after the last words.
        action: (P,) int64 actions that made the spans.
    """

    row: Tensor
    start: Tensor
    stop: Tensor
    action: Tensor

    def __len__(self) -> int:
        return len(self.row)

    def counts(self, rows: int) -> Tensor:
        """Return the number of spans in each row, (rows,) int64."""
        return torch.bincount(self.row, minlength=rows)

    def depth(self, mask: Tensor) -> Tensor:
        """Return the number of spans around each word, (R, T) int64. `mask`, (R, T), gives the shape."""
        steps = torch.zeros(mask.shape[0], mask.shape[1] + 1, dtype=torch.int64, device=mask.device)
        one = torch.ones_like(self.row)
        steps.index_put_((self.row, self.start), one, accumulate=True)
        steps.index_put_((self.row, self.stop), -one, accumulate=True)
        return steps.cumsum(1)[:, :-1]

    def cover(self, mask: Tensor) -> Tensor:
        """Return (R, T) bool: the words that are in a span. `mask`, (R, T), gives the shape."""
        return self.depth(mask) > 0

    def by_row(self, rows: int) -> list[list[tuple[int, int]]]:
        """Return the `(start, stop)` pairs of each row."""
        found: list[list[tuple[int, int]]] = [[] for _ in range(rows)]
        for row, start, stop in zip(self.row.tolist(), self.start.tolist(), self.stop.tolist(), strict=True):
            found[row].append((start, stop))
        return found


PartState: TypeAlias = Literal["phrase", "open", "tree", "retained", "deleted", "unread"]
"""State of a `Part`."""


class Part(NamedTuple):
    """Consecutive words that a picture shows as one group.

    Attributes:
        start: Index of the first word.
        stop: Index after the last word.
        state: "phrase" is a complete group, "open" a group that the next word may join; "tree" is a group with brackets
            of its own; "retained" and "deleted" words are kept or deleted; "unread" words have no action yet.
        action: Action that made the part, or None.
    """

    start: int
    stop: int
    state: PartState
    action: int | None = None


def selection_parts(kept: Sequence[bool], keep: int | None = None, leave: int | None = None) -> list[Part]:
    """Return the runs of kept words and the runs of the others, for a problem that selects words.

    Args:
        kept: Whether each word so far is kept.
        keep: Action of the kept words, if they have one in common.
        leave: Action of the other words, likewise.
    """
    runs = [[at for at, _ in run] for _, run in groupby(enumerate(kept), lambda each: each[1])]
    return [
        Part(run[0], run[-1] + 1, "retained", keep) if kept[run[0]] else Part(run[0], run[-1] + 1, "deleted", leave)
        for run in runs
    ]


def outermost_parts(spans: Sequence[tuple[int, int]], length: int) -> list[Part]:
    """Return a tree for each nested span that is in no other one, and for each word that is in no span."""
    found: list[Part] = []
    at = 0
    for start, stop in [*spans, (length, length)]:
        found += [Part(word, word + 1, "tree") for word in range(at, min(start, stop))]
        while found and found[-1].start >= start:
            found.pop()
        found.append(Part(start, stop, "tree"))
        at = max(at, stop)
    return found[:-1]
