"""Options that say how a corpus is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from hs_env.corpora.spec import RowFormat, add_settings
from hs_env.corpora.variants import Variant


@dataclass(frozen=True)
class ReadingOptions:
    """How a corpus is read. The options become its settings, such as `reviews.csv:text=review,label=stars`."""

    MAIN: ClassVar[tuple[str, ...]] = ("text_column", "label_column")
    """Fields that the short help shows."""

    text_column: str | None = None
    """Column of texts in your own files, or its number in files without a header; by default `text`."""
    label_column: str | None = None
    """Column of labels in your own files, likewise; by default `label`."""
    label_names: tuple[str, ...] = ()
    """Names of the classes, in the order of their labels; by default the labels themselves."""
    skip_bad_rows: bool = False
    """Leave out rows of your own files that have a fault, and count them."""
    tokenisation: Literal["words", "characters", "bytes"] = "words"
    """What the words of a sentence become. Characters and UTF-8 bytes include the blanks between words."""
    noise: float = 0.0
    """Share of the words of two or more letters that get a typo, in training, dev and test sentences; 0 changes
    nothing."""

    def add_to(self, corpus: str) -> str:
        """Return the name of a corpus with these settings."""
        columns = {"text": self.text_column, "label": self.label_column}
        given = {name: column for name, column in columns.items() if column is not None}
        row_format = RowFormat(**given, names=self.label_names, skip_bad_rows=self.skip_bad_rows)
        variant = Variant(self.tokenisation, self.noise)
        return add_settings(corpus, row_format.to_settings() | variant.to_settings())
