"""Find the words that a policy deletes most and least (table 5 of Zhang, Huang, Zhao, AAAI 2018)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import torch
from rich import box
from rich.table import Table
from rich.text import Text

from hs_env.compute import CPU
from hs_env.corpora import Vocabulary
from hs_env.problems.problem import Problem
from hs_env.types import UNKNOWN, Episodes

MIN_COUNT: Final = 10
"""Minimum number of occurrences of a word to be ranked."""
_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class WordDeletions:
    """Deletions of one word.

    Attributes:
        word: Word.
        deleted: Number of deleted occurrences.
        count: Number of occurrences.
    """

    word: str
    deleted: int
    count: int

    @property
    def share(self) -> float:
        """Share of occurrences that are deleted, 0 to 1."""
        return self.deleted / self.count

    def __str__(self) -> str:
        return f"{self.word} {100 * self.share:.0f}% ({self.deleted}/{self.count})"


@dataclass(frozen=True)
class Deletions:
    """Words ranked by the share of their occurrences that is deleted.

    Attributes:
        words: Words that occur at least `MIN_COUNT` times, most deleted first; among equals, most frequent first.
    """

    words: tuple[WordDeletions, ...]

    @classmethod
    def of(cls, episodes: Iterable[Episodes], vocabulary: Vocabulary, problem: Problem) -> Deletions:
        """Count the words of finished episodes that are in no span."""
        size = len(vocabulary)
        count, deleted = torch.zeros(2, size, dtype=torch.int64, device=CPU)
        for batch in episodes:
            mask, tokens = batch.sentences.mask, batch.sentences.tokens
            covered = problem.spans(batch.actions, batch.sentences.lengths).cover(mask)
            count += torch.bincount(tokens[mask], minlength=size).cpu()
            deleted += torch.bincount(tokens[mask & ~covered], minlength=size).cpu()
        count[UNKNOWN] = 0  # many words
        frequent = (count >= MIN_COUNT).nonzero().squeeze(1).tolist()
        found = [WordDeletions(vocabulary.words[token], int(deleted[token]), int(count[token])) for token in frequent]
        return cls(tuple(sorted(found, key=lambda each: (-each.share, -each.count, each.word))))

    @property
    def most(self) -> tuple[WordDeletions, ...]:
        """The 10 most deleted words."""
        return self.words[:_SHOWN]

    @property
    def least(self) -> tuple[WordDeletions, ...]:
        """The 10 least deleted words, least deleted first; among equals, most frequent first."""
        return tuple(sorted(self.words, key=lambda each: (each.share, -each.count, each.word)))[:_SHOWN]

    def to_json(self) -> dict[str, Any]:
        """Return the most and least deleted words as JSON values."""
        sides = {"most": self.most, "least": self.least}
        return {"min_count": MIN_COUNT} | {
            side: [{"word": each.word, "deleted": each.deleted, "count": each.count} for each in words]
            for side, words in sides.items()
        }

    def to_rich(self) -> Table:
        """Return a table for the terminal."""
        caption = f"Words that occur {MIN_COUNT} times or more: share deleted (number deleted / occurrences)."
        table = Table("Most deleted", "Least deleted", box=box.SIMPLE_HEAD, caption=caption, caption_style="dim")
        table.caption_justify = "left"
        for most, least in zip(self.most, self.least, strict=True):
            table.add_row(Text(str(most)), Text(str(least)))
        return table
