"""Find the phrases of several words that a policy makes repeatedly."""

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
from hs_env.text_units import to_text
from hs_env.types import Episodes

_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class RecurringPhrase:
    """Counts of one phrase.

    Attributes:
        text: Text of the phrase, at least two words.
        count: Number of times that these words were a phrase.
        occurrences: Number of times that they occur in a row, as a phrase or not.
    """

    text: str
    count: int
    occurrences: int

    def __str__(self) -> str:
        return f"{self.text} ({self.count}/{self.occurrences})"


@dataclass(frozen=True)
class Recurring:
    """Phrases of two words or more that recur, that is, occur at least twice.

    Attributes:
        phrases: At most 20 of them, most frequent first; among equals, longest first.
        distinct: Number of distinct recurring phrases.
        share: Number of occurrences of recurring phrases, divided by that of all phrases of two words or more.
    """

    phrases: tuple[RecurringPhrase, ...]
    distinct: int
    share: float

    @classmethod
    def of(
        cls, episodes: Iterable[Episodes], vocabulary: Vocabulary, problem: Problem, unit: str = "words"
    ) -> Recurring:
        """Count the phrases of finished episodes, whose words are of this unit (see `text_units`)."""
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
        shown = tuple(RecurringPhrase(to_text(phrase, unit), again[phrase], occurrences[phrase]) for phrase in most)
        return cls(shown, len(again), sum(again.values()) / counts.total() if counts else 0.0)

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        shown = [{"phrase": each.text, "count": each.count, "occurrences": each.occurrences} for each in self.phrases]
        return {"distinct": self.distinct, "share": self.share, "phrases": shown}

    def to_rich(self) -> Table:
        """Return a table for the terminal."""
        caption = (
            "Times that the words are a phrase / times that they occur. "
            f"{self.distinct:,} recurring phrases make up {100 * self.share:.0f}% of the phrases of two words or more."
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
    """Yield the words and spans of each row. Unknown words are those of the sentence, if it is at hand."""
    sentences, lengths = batch.sentences, batch.sentences.lengths
    spans = problem.spans_by_row(batch.actions, lengths)
    if sentences.originals is not None:
        yield from zip((each.words for each in sentences.originals.rows()), spans, strict=True)
        return
    for tokens, length, its in zip(sentences.tokens.tolist(), lengths.tolist(), spans, strict=True):
        yield tuple(vocabulary.words[token] for token in tokens[:length]), its
