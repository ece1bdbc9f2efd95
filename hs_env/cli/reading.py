"""Options that say how your own files are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hs_env.corpora.spec import RowFormat, add_settings


@dataclass(frozen=True)
class ReadingOptions:
    """Columns of your own files. They become settings of the corpus, such as `reviews.csv:text=review,label=stars`."""

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

    def add_to(self, corpus: str) -> str:
        """Return the name of a corpus with these settings."""
        columns = {"text": self.text_column, "label": self.label_column}
        given = {name: column for name, column in columns.items() if column is not None}
        return add_settings(corpus, RowFormat(**given, names=self.label_names, skip_bad_rows=self.skip_bad_rows))
