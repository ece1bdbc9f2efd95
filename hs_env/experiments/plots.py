"""Figures of the results of a grid, as SVG files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from hs_env.errors import missing_extra
from hs_env.experiments.grid import Cell
from hs_env.experiments.statistics import t_interval
from hs_env.experiments.summary import FEW, Results, overlap, runs_of, sentence_accuracies
from hs_env.storage import write_atomically

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as error:
    raise missing_extra("Figures of results", "analysis") from error

Entries = Mapping[str, Sequence[Mapping[str, Any]]]
"""Results on one corpus by variant."""


def save_figures(cells: Sequence[Cell], results: Results, folder: Path) -> list[Path]:
    """Draw accuracy, learning curves and phrases on each corpus as SVG files, unless a figure has no data."""
    corpora: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for (corpus, variant), runs in runs_of(cells, results).items():
        if runs:
            corpora.setdefault(corpus, {})[variant] = list(runs.values())
    drawings = {"accuracy": _accuracy, "curves": _curves, "phrases": _phrases, "phrase_lengths": _phrase_lengths}
    paths = []
    for name, draw in drawings.items():
        shown = {corpus: _phrased(entries) if "phrase" in name else entries for corpus, entries in corpora.items()}
        shown = {corpus: entries for corpus, entries in shown.items() if entries}
        if not shown:
            continue
        columns = min(2, len(shown))
        rows = -(-len(shown) // columns)
        figure = Figure(figsize=(5.5 * columns, 3.6 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for spare in panels[len(shown) :]:
            spare.remove()
        for axes, (corpus, entries) in zip(panels, shown.items(), strict=False):
            axes.set_title(corpus)
            axes.grid(alpha=0.3)
            draw(axes, entries)
        paths.append(save_figure(figure, folder / f"{name}.svg"))
    return paths


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure; equal figures give equal bytes."""
    out = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "hs-env"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    write_atomically(path, out.getvalue())
    return path


def _phrased(entries: Entries) -> Entries:
    """Select the variants whose models segment sentences into phrases."""
    return {variant: found for variant, found in entries.items() if "phrase_lengths" in found[0]["test"]}


def _points(axes: Axes, entries: Entries, name: str, factor: float) -> None:
    """Draw a metric of each variant on test: every run, and the mean with its 95% interval.

    With few runs, the interval of accuracy is over sentences, and other metrics have none.
    """
    for row, found in enumerate(list(entries.values())[::-1]):
        values = [factor * entry["test"][name] for entry in found]
        few = len(found) < FEW
        mean = t_interval(values, 0.0 if few else overlap(found))
        if few and name == "accuracy":
            mean = t_interval([factor * value for value in sentence_accuracies(found)])
        if not few or name == "accuracy":
            axes.plot([mean.low, mean.high], [row, row], color="C0", linewidth=2)
        axes.plot(values, [row] * len(values), "o", color="0.6", markersize=3)
        axes.plot([mean.value], [row], "o", color="C0")
    axes.set_yticks(range(len(entries)), labels=list(entries)[::-1])


def _accuracy(axes: Axes, entries: Entries) -> None:
    _points(axes, entries, "accuracy", 100)
    axes.set_xlabel("accuracy on test, %")


def _phrases(axes: Axes, entries: Entries) -> None:
    _points(axes, entries, "phrases_per_sentence", 1)
    axes.set_xlabel("phrases per sentence of test")


def _curves(axes: Axes, entries: Entries) -> None:
    """Draw the accuracy on dev over the epochs of all stages, one line per run and one colour per variant."""
    for number, (variant, found) in enumerate(entries.items()):
        for run, entry in enumerate(found):
            scored = list(_epochs(entry["epochs"]))
            colour, label = mpl.colormaps["tab20"](number % 20), None if run else variant
            axes.plot(*zip(*scored, strict=True), color=colour, linewidth=1, label=label)
    axes.set_xlabel("epochs of all stages")
    axes.set_ylabel("accuracy on dev, %")
    axes.legend(fontsize="x-small")


def _epochs(epochs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, float]]:
    """Yield the number of finished epochs and the accuracy in percent.

    The start of a stage (epoch 0) is not a new epoch: it repeats the best epoch of the stage before.
    """
    done = 0
    for epoch in epochs:
        done += epoch["epoch"] > 0
        yield done, 100 * epoch["accuracy"]


def _phrase_lengths(axes: Axes, entries: Entries) -> None:
    """Draw the share of phrases of each length, pooled over runs."""
    for variant, found in entries.items():
        counts = np.zeros(max(len(entry["test"]["phrase_lengths"]) for entry in found))
        for entry in found:
            lengths = entry["test"]["phrase_lengths"]
            counts[: len(lengths)] += lengths
        axes.step(np.arange(1, len(counts)), counts[1:] / counts.sum(), where="mid", label=variant)
    axes.set_xlim(0.5, 20.5)
    axes.set_xlabel("words of a phrase")
    axes.set_ylabel("share of phrases")
    axes.legend(fontsize="small")
