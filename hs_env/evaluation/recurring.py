"""Which phrases of several words a policy makes again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from hs_env.corpora import Vocabulary
from hs_env.problems.problem import Problem
from hs_env.types import Episodes

_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class RecurringPhrase:
    """How often some words were a phrase.

    Attributes:
        words: Two or more.
        count: How often they were a phrase.
        occurrences: How often they occur at all, one after the other.
    """

    words: tuple[str, ...]
    count: int
    occurrences: int

    def __str__(self) -> str:
        return f"{' '.join(self.words)} ({self.count}/{self.occurrences})"


@dataclass(frozen=True)
class Recurring:
    """The phrases of two words or more that occur twice or more.

    Attributes:
        phrases: The most frequent ones first, of equals the longer one, at most 20.
        distinct: How many such phrases there are.
        share: Share of all phrases of two words or more that they are the occurrences of.
    """

    phrases: tuple[RecurringPhrase, ...]
    distinct: int
    share: float

    @classmethod
    def of(cls, episodes: Iterable[Episodes], vocabulary: Vocabulary, problem: Problem) -> Recurring:
        """Count in finished episodes."""
        sentences = [sentence for batch in episodes for sentence in _phrased(batch, vocabulary, problem)]
        counts = Counter(words[start:stop] for words, spans in sentences for start, stop in spans if stop - start > 1)
        again = {phrase: count for phrase, count in counts.items() if count > 1}
        most = sorted(again, key=lambda phrase: (-again[phrase], -len(phrase), phrase))[:_SHOWN]
        occurrences = Counter(
            run
            for words, _ in sentences
            for length in {len(phrase) for phrase in most}
            for start in range(len(words) - length + 1)
            if (run := words[start : start + length]) in again
        )
        shown = tuple(RecurringPhrase(phrase, again[phrase], occurrences[phrase]) for phrase in most)
        return cls(shown, len(again), sum(again.values()) / counts.total() if counts else 0.0)

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        shown = [
            {"phrase": " ".join(each.words), "count": each.count, "occurrences": each.occurrences}
            for each in self.phrases
        ]
        return {"distinct": self.distinct, "share": self.share, "phrases": shown}

    def to_rich(self) -> Table:
        """A table for the terminal."""
        caption = (
            "How often the words are a phrase, of how often they occur. Of the phrases of two words or more "
            f"{100 * self.share:.0f}% are among {self.distinct:,} that recur."
        )
        table = Table("Recurring phrases", "", box=box.SIMPLE_HEAD, caption=caption, caption_style="dim")
        table.caption_justify = "left"
        half = -(-len(self.phrases) // 2)
        for row in range(half):
            table.add_row(*(Text(str(each)) for each in self.phrases[row::half]))
        return table


def _phrased(
    batch: Episodes, vocabulary: Vocabulary, problem: Problem
) -> Iterable[tuple[tuple[str, ...], list[tuple[int, int]]]]:
    """The words and spans of each row."""
    lengths = batch.sentences.lengths
    rows = zip(batch.sentences.tokens.tolist(), lengths.tolist(), strict=True)
    for (tokens, length), spans in zip(rows, problem.spans(batch.actions, lengths).by_row(len(batch)), strict=True):
        yield tuple(vocabulary.words[token] for token in tokens[:length]), spans
