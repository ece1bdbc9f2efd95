"""The predictions of one classifier by class: precision, recall, F1, confusion matrix, reliability curve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from rich import box
from rich.table import Column, Table
from rich.text import Text

from hs_env.metrics.calibration import ReliabilityBin, reliability
from hs_env.metrics.predictions import Predictions

_WIDEST: Final = 12
"""Maximum number of classes of a confusion matrix in the terminal."""


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Scores of one class. A ratio of nothing is 0.

    Attributes:
        name: Name of the class.
        precision: Share of the predictions of this class that are correct.
        recall: Share of the sentences of this class that are predicted.
        f1: Harmonic mean of precision and recall.
        support: Number of sentences of this class.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ClassReport:
    """Predictions of one classifier by class.

    Attributes:
        owner: Name of the classifier.
        labels: Names of the C classes.
        confusion: (C, C) counts: gold classes in rows, predicted classes in columns.
        reliability: Reliability curve, in 15 bins of equal width.
    """

    owner: str
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[ReliabilityBin, ...]

    @classmethod
    def of(cls, owner: str, predictions: Predictions, labels: Sequence[str]) -> ClassReport:
        """Count the predictions of a classifier."""
        confusion = np.zeros((len(labels), len(labels)), np.int64)
        np.add.at(confusion, (predictions.labels, predictions.classes), 1)
        return cls(owner, tuple(labels), tuple(map(tuple, confusion.tolist())), reliability(predictions))

    @property
    def classes(self) -> list[ClassScores]:
        """Scores of each class."""
        scores = []
        for at, name in enumerate(self.labels):
            right, support, predicted = self.confusion[at][at], sum(self.confusion[at]), self._predicted(at)
            precision, recall = right / max(predicted, 1), right / max(support, 1)
            f1 = 2 * right / max(support + predicted, 1)
            scores.append(ClassScores(name, precision, recall, f1, support))
        return scores

    @property
    def only_class(self) -> str | None:
        """The class that is predicted for every sentence; None if several are."""
        predicted = [name for at, name in enumerate(self.labels) if self._predicted(at)]
        return predicted[0] if len(predicted) == 1 else None

    def _predicted(self, at: int) -> int:
        return sum(row[at] for row in self.confusion)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; numbers are neither rounded nor in percent."""
        return {
            "of": self.owner,
            "classes": [asdict(each) for each in self.classes],
            "confusion": {
                "labels": list(self.labels),
                "rows": "gold",
                "columns": "predicted",
                "counts": [list(row) for row in self.confusion],
            },
            "reliability": [asdict(each) for each in self.reliability],
        }

    def to_rich(self) -> Iterator[Table]:
        """Yield tables for the terminal: scores by class, and the confusion matrix of up to 12 classes."""
        headings = ("Precision %", "Recall %", "F1 %", "Sentences")
        table = _table(f"{self.owner} by class", "", *headings)
        for each in self.classes:
            ratios = (f"{100 * value:.1f}" for value in (each.precision, each.recall, each.f1))
            table.add_row(Text(each.name), *ratios, f"{each.support:,}")
        yield table
        if len(self.labels) <= _WIDEST:
            matrix = _table("Confusion matrix: gold classes in rows, predicted classes in columns", "", *self.labels)
            for name, row in zip(self.labels, self.confusion, strict=True):
                matrix.add_row(Text(name), *(f"{count:,}" for count in row))
            yield matrix


def _table(title: str, first: str, *others: str) -> Table:
    columns = (Column(Text(other), justify="right") for other in others)
    table = Table(first, *columns, title=Text(title, "bold"), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.title_justify = "left"
    return table
