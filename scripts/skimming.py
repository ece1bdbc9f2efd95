"""Draw docs/skimming.svg and make the tables of docs/skimming.md: accuracy and time against words read.

Accuracies are those of a ledger, docs/results/skimming.jsonl unless another one is given; times are those of
`skimming_times.py`.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from command import run_script
from marks import write_marked
from matplotlib.figure import Figure

import hs_env
from hs_env.corpora import load_corpus
from hs_env.errors import HsEnvError
from hs_env.experiments.grid import load_grid
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.plots import save_figure
from hs_env.experiments.statistics import t_interval
from hs_env.experiments.summary import FEW, sentence_accuracies
from hs_env.metrics.bootstrap import Interval

ROOT: Final = Path(hs_env.__file__).parents[1]
GRID, DOCS = Path(__file__).with_suffix(".toml"), ROOT / "docs"
LEDGER, TIMES = DOCS / "results" / "skimming.jsonl", DOCS / "results" / "skimming_times.json"
PAGE, PICTURE = DOCS / "skimming.md", DOCS / "skimming.svg"
TITLES: Final = {
    "skim": "skim LSTM",
    "distil": "ID-LSTM",
    "first": "plain LSTM, first words",
    "kept": "plain LSTM, random words",
    "plain": "plain LSTM, all words",
}
"""Titles of the series of the figure."""
WAYS: Final = {"jumps": "jumps", "all": "a policy that reads all words"}
"""Descriptions of what follows the name of a model in the measured times."""
CORPUS: Final = "movie_reviews"
PLAIN: Final = "plain_lstm"
"""Variant that the others are compared with; it is also trained and tested on shortened sentences."""


@dataclass(frozen=True)
class Point:
    """Summary of the runs of a variant on a corpus.

    Attributes:
        series: Key of `TITLES`.
        name: Price or share of the words, as text.
        accuracy: Mean over seeds with its 95% interval, in per cent.
        read: Mean share of the words that are read, in per cent.
        gap: Mean difference from the plain LSTM on all words with the same seeds, with its interval, in points.
        runs: Words read and accuracy of each run, in per cent.
    """

    series: str
    name: str
    accuracy: Interval
    read: float
    gap: Interval
    runs: tuple[tuple[float, float], ...]


def points(ledger: Path) -> list[Point]:
    """Return the points of all variants with a result, in the order of the grid.

    With fewer than `FEW` runs of a variant, all intervals are over sentences, as in the tables of `hs-env sweep`.
    """
    results = Ledger(ledger).results()
    found: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = defaultdict(dict)
    for cell in load_grid(GRID):
        if cell.key in results:
            found[cell.variant, cell.corpus][cell.number] = results[cell.key]
    if (PLAIN, CORPUS) not in found:
        raise HsEnvError(f"{ledger} has no result of {PLAIN} on {CORPUS}, with which the others are compared.")
    few = min(map(len, found.values())) < FEW
    plain, made = found[PLAIN, CORPUS], []
    for (variant, corpus), runs in found.items():
        series, name = label(variant, corpus)
        given = words_of(corpus) / words_of(CORPUS)
        read = [run["test"].get("share_read", run["test"].get("share_retained", given)) for run in runs.values()]
        own, theirs = (scores(each, few) for each in (runs, {seed: plain[seed] for seed in runs}))
        gap = t_interval([one - two for one, two in zip(own, theirs, strict=True)])
        each = tuple(
            (100 * share, 100 * run["test"]["accuracy"]) for share, run in zip(read, runs.values(), strict=True)
        )
        made.append(Point(series, name, t_interval(own), 100 * statistics.mean(read), gap, each))
    return made


def scores(runs: Mapping[int, Mapping[str, Any]], few: bool) -> list[float]:
    """Return accuracies in per cent, of each sentence over the runs if they are `few`, else of each run."""
    if few:
        return [100 * share for share in sentence_accuracies(list(runs.values()))]
    return [100 * run["test"]["accuracy"] for run in runs.values()]


@cache
def words_of(corpus: str) -> int:
    """Return the number of words in the test sentences of a corpus."""
    return sum(len(sentence.words) for sentence in load_corpus(corpus).splits["test"])


def label(variant: str, corpus: str) -> tuple[str, str]:
    """Return the series of a variant on a corpus, and its price or share of the words as text."""
    series, _, price = variant.partition("_")
    if variant != PLAIN:
        return series, price
    setting, _, share = corpus.rpartition(":")[2].partition("=")
    return (setting, f"{100 * float(share):.0f}%") if share else (series, "")


def draw(made: Sequence[Point]) -> None:
    """Draw accuracy against words read, one line per series."""
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    for series, title in TITLES.items():
        line = sorted((each for each in made if each.series == series), key=lambda each: each.read)
        if not line:
            continue
        x, y = [each.read for each in line], [each.accuracy.value for each in line]
        sides = [[each.accuracy.value - each.accuracy.low for each in line]] * 2
        mean = axes.errorbar(x, y, sides, marker="o", markersize=4, linewidth=1.2, capsize=2, label=title)
        axes.plot(
            *zip(*(run for each in line for run in each.runs), strict=True), ".", alpha=0.4, color=mean[0].get_color()
        )
    axes.set(xlabel="words read, % of the words of test", ylabel="accuracy on test, %")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    save_figure(figure, PICTURE)


def accuracy_table(made: Sequence[Point]) -> str:
    """Return the table of accuracies."""
    lines = ["| model | price, or share of words | words read, % | accuracy, % | minus plain LSTM, points | seeds |"]
    lines.append("|:--|:--|--:|:--|:--|--:|")
    for each in made:
        gap = "" if each.series == "plain" else interval(each.gap)
        row = [TITLES[each.series], each.name, f"{each.read:.1f}", interval(each.accuracy), gap, f"{len(each.runs)}"]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def time_table(times: Mapping[str, Mapping[str, float]]) -> str:
    """Return the table of times; each row is compared with the plain LSTM before it."""
    lines = ["| model | words read, % | in batches, ms | times as fast | one by one, ms | times as fast |"]
    lines.append("|:--|--:|--:|--:|--:|--:|")
    plain = times[PLAIN]
    for variant, each in times.items():
        name, _, way = variant.partition(" ")
        if name == PLAIN:
            plain = each
        cells = [f"{each['read']:.1f}"]
        for column in ("batched", "single"):
            cells += [f"{each[column]:.3f}", f"{plain[column] / each[column]:.2f}"]
        lines.append(f"| {described(name, way)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def described(name: str, way: str) -> str:
    """Return the row's title of a model: a variant of the grid, or a model with random weights of a width."""
    series, price = label(name, CORPUS)
    details = [f"price {price}"] if price and name != "skim_lstm" else []
    for detail in way.split():
        details.append(f"hidden size {detail}, random weights" if detail.isdigit() else WAYS[detail])
    return ", ".join([TITLES[series], *details])


def interval(value: Interval) -> str:
    """Return a value with its interval, without it for a single run."""
    if value.low != value.low:
        return f"{value.value:.1f}"
    return f"{value.value:.1f} ({value.low:.1f} to {value.high:.1f})".replace("-", "−")


def main(ledger: Path = LEDGER) -> None:
    """Draw the figure and make the tables.

    Args:
        ledger: Ledger of the sweep.

    Raises:
        HsEnvError: If the ledger has no result of the grid.
    """
    made = points(ledger)
    draw(made)
    write_marked(PAGE, "accuracies", accuracy_table(made))
    times = json.loads(TIMES.read_text(encoding="utf-8"))
    write_marked(PAGE, "times", time_table(times))
    print(PAGE.relative_to(ROOT), PICTURE.relative_to(ROOT))


if __name__ == "__main__":
    run_script(main)
