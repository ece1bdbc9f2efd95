"""Draw docs/skimming.svg and make the tables of docs/skimming.md: accuracy and time against words read.

Accuracies are those of the ledger. Times are measured in this process if the runs of the grid are given, and kept in
docs/results/skimming_times.json. They are seconds of processor time with one thread, which are those of a wall clock on
an idle machine. The models take turns, and each time is the median over the rounds.
"""

from __future__ import annotations

import json
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import tyro
from matplotlib.figure import Figure

import hs_env
from hs_env.agents import Agent, rollout, skim
from hs_env.compute import prepare
from hs_env.corpora import load_corpus
from hs_env.experiments.grid import load_grid
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.plots import save_figure
from hs_env.experiments.statistics import t_interval
from hs_env.metrics.bootstrap import Interval
from hs_env.models import FlatClassifier, SkimLSTM, StructuredEncoder
from hs_env.storage import write_json
from hs_env.training.run import Run
from hs_env.types import SentenceBatch

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
CORPUS: Final = "movie_reviews"
PLAIN: Final = "plain_lstm"
"""Variant that the others are compared with; it is also trained and tested on shortened sentences."""
BATCH: Final = 64
SINGLE: Final = 100
"""Number of sentences that are read one by one."""


@dataclass(frozen=True)
class Point:
    """Summary of the runs of a variant on a corpus.

    Attributes:
        series: Key of `TITLES`.
        name: Price or share of the words, as text.
        accuracy: Mean over seeds with its 95% interval, in per cent.
        read: Mean share of the words that are read, in per cent.
        gap: Mean difference from the plain LSTM on all words over seeds, with its interval, in points.
        runs: Number of runs.
    """

    series: str
    name: str
    accuracy: Interval
    read: float
    gap: Interval
    runs: int


def points(ledger: Path) -> list[Point]:
    """Return the points of all variants with a result, in the order of the grid."""
    results, found = Ledger(ledger).results(), defaultdict(dict)
    for cell in load_grid(GRID):
        if cell.key in results:
            found[cell.variant, cell.corpus][cell.number] = results[cell.key]["test"]
    plain, made = found[PLAIN, CORPUS], []
    for (variant, corpus), runs in found.items():
        series, name, share = label(variant, corpus)
        read = [run.get("share_read", run.get("share_retained", share)) for run in runs.values()]
        accuracies = [100 * run["accuracy"] for run in runs.values()]
        gaps = [100 * (run["accuracy"] - plain[seed]["accuracy"]) for seed, run in runs.items()]
        made.append(
            Point(series, name, t_interval(accuracies), 100 * statistics.mean(read), t_interval(gaps), len(runs))
        )
    return made


def label(variant: str, corpus: str) -> tuple[str, str, float]:
    """Return the series of a variant on a corpus, its price or share as text, and the share of the words given."""
    series, _, price = variant.partition("_")
    if variant != PLAIN:
        return series, price, 1.0
    setting, _, share = corpus.rpartition(":")[2].partition("=")
    return (setting, f"{100 * float(share):.0f}%", float(share)) if share else (series, "", 1.0)


def measure(runs: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Measure the runs of seed 0: words read in per cent, and milliseconds per test sentence, in batches and alone."""
    prepare(threads=1)
    corpus = load_corpus(CORPUS)
    calls: dict[str, dict[str, Callable[[], Any]]] = {}
    made: dict[str, dict[str, float]] = {}
    for cell in load_grid(GRID):
        if cell.number or cell.corpus != CORPUS:
            continue
        run = Run.load(runs / cell.key)
        test = run.classifier.encode(corpus.splits["test"])
        batches = [batch.select(torch.arange(len(batch))) for batch in test.batches(BATCH, by_length=True)]
        singles = [test.batch(torch.tensor([place])) for place in range(SINGLE)]
        made[cell.variant] = {"read": 100 * share_read(run, batches)}
        for name, read in readers(run).items():
            calls[f"{cell.variant} {name}".strip()] = {
                "batched": lambda read=read, batches=batches: [read(batch) for batch in batches],
                "single": lambda read=read, singles=singles: [read(batch) for batch in singles],
            }
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    with torch.inference_mode():
        for _ in range(rounds + 1):  # the first one warms up
            for variant, each in calls.items():
                for name, call in each.items():
                    begun = time.process_time()
                    call()
                    seconds[variant, name].append(time.process_time() - begun)
    sentences = {"batched": len(test), "single": SINGLE}
    for (variant, name), times in seconds.items():
        base = made.setdefault(variant, dict(made[variant.partition(" ")[0]]))
        base[name] = 1000 * statistics.median(times[1:]) / sentences[name]
    return made


def readers(run: Run) -> dict[str, Callable[[SentenceBatch], Any]]:
    """Return the ways to classify a batch with a run, by name: "" for the usual one."""
    model, agent = run.classifier.model, run.agent
    if isinstance(model, FlatClassifier):
        return {"": model}
    assert isinstance(model, StructuredEncoder) and agent is not None  # noqa: PT018
    made: dict[str, Callable[[SentenceBatch], Any]] = {
        "": lambda batch: rollout(model, agent, batch, deterministic=True).episodes
    }
    if isinstance(model, SkimLSTM):
        made["jumps"] = lambda batch: skim(model, agent, batch)
    return made


def share_read(run: Run, batches: Sequence[SentenceBatch]) -> float:
    """Return the share of the words that the run reads."""
    model, agent = run.classifier.model, run.agent
    if isinstance(model, FlatClassifier):
        return 1.0
    assert isinstance(model, StructuredEncoder) and isinstance(agent, Agent)  # noqa: PT018
    read = 0
    for batch in batches:
        episodes = rollout(model, agent, batch, deterministic=True).episodes
        read += len(model.problem.spans(episodes.actions, batch.lengths))
    return read / sum(int(batch.lengths.sum()) for batch in batches)


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
        axes.errorbar(x, y, sides, marker="o", markersize=4, linewidth=1.2, capsize=2, label=title)
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
        row = [TITLES[each.series], each.name, f"{each.read:.1f}", interval(each.accuracy), gap, f"{each.runs}"]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def time_table(times: Mapping[str, Mapping[str, float]]) -> str:
    """Return the table of times."""
    lines = [f"| model | words read, % | batches of {BATCH}, ms | times as fast | one by one, ms | times as fast |"]
    lines.append("|:--|--:|--:|--:|--:|--:|")
    plain = times[PLAIN]
    for variant, each in times.items():
        name, _, way = variant.partition(" ")
        series, price, _ = label(name, CORPUS)
        title = f"{TITLES[series]}{f', price {price}' if price else ''}{', jumps' if way else ''}"
        cells = [f"{each['read']:.1f}"]
        for column in ("batched", "single"):
            cells += [f"{each[column]:.3f}", f"{plain[column] / each[column]:.2f}"]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def interval(value: Interval) -> str:
    """Return a value with its interval, without it for a single run."""
    if value.low != value.low:
        return f"{value.value:.1f}"
    return f"{value.value:.1f} ({value.low:.1f} to {value.high:.1f})".replace("-", "−")


def put(page: str, name: str, table: str) -> str:
    """Replace the table between the marks of `name` in a page."""
    marked = re.compile(rf"(<!-- {name}, by scripts/skimming.py -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    return marked.sub(lambda match: f"{match[1]}{table}{match[2]}", page)


def main(runs: Path | None = None, rounds: int = 5) -> None:
    """Draw the figure and make the tables.

    Args:
        runs: Folder `cells` of the sweep, to measure the times again; None keeps those of the last time.
        rounds: Number of measurements of each model.
    """
    if runs is not None:
        write_json(TIMES, measure(runs, rounds))
    made = points(LEDGER)
    draw(made)
    page = put(PAGE.read_text(encoding="utf-8"), "accuracies", accuracy_table(made))
    times = json.loads(TIMES.read_text(encoding="utf-8"))
    PAGE.write_text(put(page, "times", time_table(times)), encoding="utf-8")
    print(PAGE.relative_to(ROOT), PICTURE.relative_to(ROOT))


if __name__ == "__main__":
    tyro.cli(main)
