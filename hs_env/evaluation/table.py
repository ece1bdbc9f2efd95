"""The comparison table: policies and models side by side, as text for the terminal, JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hs_env.evaluation.classes import ClassReport
from hs_env.evaluation.deletions import Deletions
from hs_env.evaluation.paired import Paired
from hs_env.evaluation.recurring import Recurring
from hs_env.metrics.bootstrap import Interval
from hs_env.metrics.definitions import CLASSIFICATION, DETAILS
from hs_env.problems.problem import Column
from hs_env.storage import StrPath, write_atomically, write_json

CAPTION: Final = "Each value with its 95% bootstrap interval over the sentences."

_BEST: Final = "accuracy"
"""The metric that decides which row is best."""
_NONE: Final = "—"
"""Text of a cell whose metric does not apply."""
_NAME_WIDTH: Final = 16
"""Minimum width of the column of row names, in characters."""


@dataclass(frozen=True, slots=True)
class Row:
    """One policy or model.

    Attributes:
        name: Name of the policy or model.
        intervals: Value and interval by name of the metric; metrics that do not apply are left out.
        note: Short remark, shown below the name.
    """

    name: str
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    note: str = ""


class Cell(NamedTuple):
    """A formatted value, the ends of its interval (empty if its width is 0), and whether it is the best."""

    value: str
    ends: tuple[str, str]
    best: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Metrics of several policies and models on the same sentences.

    Attributes:
        title: What is compared, and on which sentences.
        rows: Policies and models, in the order in which they are shown.
        caption: Explanation of the values.
        columns: Columns of the decision problem, beside those of every classifier.
        deletions: Words that the first row's policy deletes most and least often, if it deletes words.
        recurring: Phrases that the first row's policy produces repeatedly, if it produces phrases.
        classes: Predictions of the first row by class.
        paired: Difference between the first row and the plain LSTM on the same sentences.
    """

    title: str
    rows: Sequence[Row]
    caption: str = CAPTION
    columns: tuple[Column, ...] = ()
    deletions: Deletions | None = None
    recurring: Recurring | None = None
    classes: ClassReport | None = None
    paired: Paired | None = None

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that apply to at least one row, in the order of the columns, unknown ones last."""
        found, known = dict.fromkeys(name for row in self.rows for name in row.intervals), self._known
        return [name for name in known if name in found] + [name for name in found if name not in known]

    @property
    def headings(self) -> list[str]:
        """Headings of `metrics`, each on one line."""
        return [" ".join(self._column(metric).heading).replace("- ", "-").strip() for metric in self.metrics]

    @property
    def best(self) -> float | None:
        """The highest accuracy, or None if no row has one."""
        return max((row.intervals[_BEST].value for row in self.rows if _BEST in row.intervals), default=None)

    def parts(self) -> list[Comparison]:
        """Split the table into three that fit a terminal.

        They show classification and counts, then balanced accuracy and calibration, then agreement with gold structure.
        A part without rows is left out. Only the first has the title of the whole.
        """
        details = [metric.column.name for metric in DETAILS]
        agreement = [name for name in self.metrics if self._column(name).agreement]
        others = [name for name in self.metrics if name not in (*agreement, *details)]
        caption = CAPTION if self.caption.startswith(CAPTION) else self.caption
        titles = {"Balanced accuracy and calibration": details, "Agreement with gold structure": agreement}
        further = (replace(self._select(names), title=title, caption=caption) for title, names in titles.items())
        parts = [self._select(others), *further]
        return [part for part in parts if part.rows]

    def to_rich(self, width: int = 100) -> Table:
        """Return a table for the terminal: each interval below its value, the best accuracy in bold.

        Args:
            width: Width of the terminal in characters. Intervals take two lines if the table is too wide otherwise.
        """
        wide = self._table("")
        return wide if Console(width=1000).measure(wide).minimum <= width else self._table("\n")

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; numbers are neither rounded nor in percent."""
        rows = [
            {
                "name": row.name,
                "note": row.note,
                "metrics": {
                    metric: {"value": interval.value, "low": _known(interval.low), "high": _known(interval.high)}
                    for metric, interval in row.intervals.items()
                },
            }
            for row in self.rows
        ]
        value = {"title": self.title, "caption": self.caption, "rows": rows}
        extras = {
            "deletions": self.deletions,
            "recurring": self.recurring,
            "classes": self.classes,
            "paired": self.paired,
        }
        return value | {name: extra.to_json() for name, extra in extras.items() if extra is not None}

    def to_csv(self) -> str:
        """Return CSV in long form, one line per value: `row,note,metric,value,low,high`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["row", "note", "metric", "value", "low", "high"])
        for row in self.rows:
            for metric, interval in row.intervals.items():
                ends = _known(interval.low), _known(interval.high)
                writer.writerow([row.name, row.note, metric, interval.value, *ends])
        return text.getvalue()

    def to_markdown(self) -> str:
        """Return a Markdown table: intervals in brackets, the best accuracy in bold."""
        lines = [["", *self.headings], [":--", *["--:"] * len(self.metrics)]]
        for row in self.rows:
            name = row.name + (f" ({row.note})" if row.note else "")
            lines.append([name.replace("|", "\\|"), *(self._markdown_cell(row, metric) for metric in self.metrics)])
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"**{self.title}**\n\n{table}\n\n{self.caption}\n"

    def cell(self, row: Row, metric: str) -> Cell:
        """Format a row's value of one of `metrics`; a dash if the metric does not apply."""
        if metric not in row.intervals:
            return Cell(_NONE, ("", ""), False)
        interval, column = row.intervals[metric], self._column(metric)
        return Cell(_write(column, interval.value), _ends(column, interval), metric == _BEST and self._wins(row))

    def save(self, folder: StrPath, stem: str = "evaluation") -> None:
        """Write `stem.json` and `stem.csv`, each atomically."""
        write_json(Path(folder, f"{stem}.json"), self.to_json())
        write_atomically(Path(folder, f"{stem}.csv"), self.to_csv().encode())

    def _select(self, metrics: Sequence[str]) -> Comparison:
        """Return the comparison with these metrics only, without rows that have none of them."""
        chosen = [{name: row.intervals[name] for name in metrics if name in row.intervals} for row in self.rows]
        rows = [replace(row, intervals=found) for row, found in zip(self.rows, chosen, strict=True) if found]
        return replace(self, rows=rows)

    @property
    def _known(self) -> dict[str, Column]:
        """The columns by name."""
        return {
            column.name: column
            for column in (*(metric.column for metric in (*CLASSIFICATION, *DETAILS)), *self.columns)
        }

    def _column(self, metric: str) -> Column:
        """Return the column of a metric; an unknown metric is headed by its name and has 3 decimals."""
        return self._known.get(metric, Column(metric, (metric, ""), "", ""))

    def _wins(self, row: Row) -> bool:
        """Return whether no other row has a higher accuracy."""
        return _BEST in row.intervals and row.intervals[_BEST].value == self.best

    def _table(self, between: str) -> Table:
        """Return the table for the terminal; `between` separates the ends of an interval."""
        title, caption = Text(self.title, "bold"), Text(self.caption, "dim")
        table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.title_justify = table.caption_justify = "left"
        table.add_column("", min_width=_NAME_WIDTH)
        for metric in self.metrics:
            table.add_column("\n".join(self._column(metric).heading), justify="right", no_wrap=True)
        for row in self.rows:
            label = Text.assemble(row.name, (f"\n{row.note}" if row.note else "", "dim"))
            table.add_row(label, *(self._cell(row, metric, between) for metric in self.metrics))
        return table

    def _cell(self, row: Row, metric: str, between: str) -> Text:
        """Format a value with its interval on the next line."""
        if metric not in row.intervals:
            return Text(_NONE, "dim")
        value, ends, best = self.cell(row, metric)
        return Text.assemble((value, "bold" if best else ""), ("\n" + between.join(ends), "dim"))

    def _markdown_cell(self, row: Row, metric: str) -> str:
        """Format a value with its interval in brackets."""
        value, ends, best = self.cell(row, metric)
        bold = "**" if best else ""
        return f"{bold}{value}{bold}" + (f" ({''.join(ends)})" if any(ends) else "")


def _write(column: Column, value: float) -> str:
    """Format a value, with a typographic minus sign."""
    return f"{value * column.factor:.{column.decimals}f}".replace("-", "−")


def _known(end: float) -> float | None:
    """Return the end of an interval, or None for NaN: a single run has no interval."""
    return None if math.isnan(end) else end


def _ends(column: Column, interval: Interval) -> tuple[str, str]:
    """Format the ends of an interval: `82.9–` and `85.4`, or two empty texts if it has none or its width is 0.

    Negative ends are written `−0.46…` and `−0.37`, since a dash could be mistaken for a minus sign.
    """
    if not interval.low < interval.high:
        return "", ""
    return _write(column, interval.low) + ("…" if interval.low < 0 else "–"), _write(column, interval.high)
