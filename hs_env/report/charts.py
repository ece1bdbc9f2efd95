"""Charts as SVG. Matplotlib draws them without global state; equal numbers give equal bytes."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from hs_env.errors import missing_extra
from hs_env.evaluation import Comparison
from hs_env.metrics import ReliabilityBin
from hs_env.render import PALETTE

try:
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as error:
    raise missing_extra("Reports", "analysis") from error

_CURVES: Final = {
    "accuracy": "accuracy on dev",
    "macro_f1": "macro F1 on dev",
    "log_likelihood": "log-likelihood on dev",
    "reward": "reward on dev",
    "phrases_per_sentence": "phrases per sentence",
    "share_retained": "share of words retained",
    "share_read": "share of words read",
}
"""Entries of a run's history that are drawn if the history has them, with the titles of their charts."""

_STAGES: Final = {"warm": PALETTE.neutral, "pnet": PALETTE.wrong, "joint": PALETTE.right}
"""Colour of each stage, the same in every chart."""

_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hs-env",
    "axes.edgecolor": PALETTE.track,
    "axes.labelcolor": PALETTE.ink,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "font.size": 9.0,
    "text.color": PALETTE.ink,
    "text.parse_math": False,  # names may contain dollar signs
    "xtick.color": PALETTE.muted,
    "ytick.color": PALETTE.muted,
}


def learning_curves(epochs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Draw the dev scores of a run over its updates, and mark the epoch that each stage kept.

    Returns:
        Title and data URL of each chart.
    """
    charts = []
    for name, title in _CURVES.items():
        if name in epochs[0]:
            with rc_context(_STYLE):
                figure = Figure(figsize=(4.4, 2.3), layout="constrained")
                axes = figure.add_subplot()
                axes.set_title(title)
                _draw_stages(axes, epochs, name)
                charts.append((title, _data_url(figure)))
    return charts


def _draw_stages(axes: Axes, epochs: Sequence[Mapping[str, Any]], name: str) -> None:
    """Draw a separate line per stage, since each stage starts from its own policy and score."""
    for stage, entries in groupby(epochs, lambda entry: entry["stage"]):
        part = list(entries)
        updates, scores = [entry["updates"] for entry in part], [entry[name] for entry in part]
        colour = _STAGES.get(stage, PALETTE.muted)
        axes.plot(updates, scores, color=colour, marker=".", markersize=4, linewidth=1.2, label=stage)
        best = max((at for at, entry in enumerate(part) if entry["best"]), default=0)
        axes.plot(updates[best], scores[best], "o", markersize=7, markerfacecolor="none", color=colour)
    axes.set_xlabel("updates")
    axes.legend(frameon=False, fontsize=8)


def language_curves(history: Sequence[dict[str, float]]) -> str:
    """Draw the dev scores of a language model, and the rate of boundaries of each level, and return a data URL."""
    updates = [entry["updates"] for entry in history]
    levels = [name for name in history[0] if name.startswith("boundaries_")]
    with rc_context(_STYLE):
        figure = Figure(figsize=(9.0, 2.2), layout="constrained")
        titles = {"bits per character on dev": ["bits_per_character"], "rate of boundaries": levels}
        for number, (title, names) in enumerate(titles.items(), 1):
            axes = figure.add_subplot(1, 2, number)
            axes.set_title(title)
            axes.set_xlabel("updates")
            for line, name in enumerate(names):
                colour = (PALETTE.neutral, PALETTE.right, PALETTE.wrong)[line % 3]
                label = f"level {name.rpartition('_')[2]}" if name in levels else None
                axes.plot(updates, [entry[name] for entry in history], ".-", color=colour, label=label)
            if names is levels and levels:
                axes.legend(frameon=False, fontsize=8)
        return _data_url(figure)


def accuracy_chart(comparison: Comparison) -> str:
    """Draw the accuracy of each row with its interval, and return a data URL."""
    rows = [row for row in comparison.rows if "accuracy" in row.intervals][::-1]
    with rc_context(_STYLE):
        figure = Figure(figsize=(5.6, 0.8 + 0.25 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        for height, row in enumerate(rows):
            found = row.intervals["accuracy"]
            axes.plot([100 * found.low, 100 * found.high], [height, height], color=PALETTE.track, linewidth=4)
            axes.plot(100 * found.value, height, "o", color=PALETTE.neutral, markersize=5)
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel("accuracy, %")
        axes.grid(axis="x", color=PALETTE.track, linewidth=0.4)
        return _data_url(figure)


def reliability_chart(bins: Sequence[ReliabilityBin]) -> str:
    """Draw the accuracy in each bin of predicted probabilities, with the number of sentences, and return a data URL."""
    shown = [each for each in bins if each.count]
    with rc_context(_STYLE):
        figure = Figure(figsize=(4.2, 3.4), layout="constrained")
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=PALETTE.track, linewidth=1)
        axes.plot([each.confidence for each in shown], [each.accuracy for each in shown], color=PALETTE.neutral)
        for each in shown:
            axes.plot(each.confidence, each.accuracy, "o", color=PALETTE.neutral, markersize=4)
            axes.annotate(f"{each.count:,}", (each.confidence, each.accuracy), (4, -9), textcoords="offset points")
        axes.set_xlabel("mean probability of the predicted class")
        axes.set_ylabel("share of correct predictions")
        return _data_url(figure)


def _data_url(figure: Figure) -> str:
    """Encode a figure as a data URL: the page then loads nothing, and the ids in two figures cannot clash."""
    content = io.BytesIO()
    figure.savefig(content, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(content.getvalue()).decode()}"
