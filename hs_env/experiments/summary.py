"""A grid's results as a table: means over runs, differences from the plain LSTM, the published figures beside them."""

from __future__ import annotations

import csv
import io
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hs_env.errors import HsEnvError
from hs_env.experiments.grid import Cell
from hs_env.experiments.result import unpack
from hs_env.experiments.statistics import holm, interquartile_mean, paired_test, t_interval
from hs_env.metrics.bootstrap import Interval

REFERENCE: Final = "plain_lstm"
"""The variant that the others are compared with."""
ALL: Final = "all corpora"
"""In the place of a corpus: the interquartile mean over them."""

FEW: Final = 3
"""With fewer runs intervals and tests are over the sentences."""

Results = Mapping[str, Mapping[str, Any]]
"""Entries of a ledger by key."""


@dataclass(frozen=True)
class Line:
    """A variant on a corpus; what does not apply, or cannot be said yet, is not a number.

    Attributes:
        corpus: Its name in the grid, or `ALL`.
        variant: Its name in the grid.
        runs: Finished runs that the line is of.
        planned: Runs in the grid.
        accuracy: On test, with its 95% interval.
        over: What intervals and tests are over: "runs", or "sentences" where there are fewer than three runs; the
            verdicts on a sentence are then averaged over its runs, which leaves out that other runs would differ.
        low: See `accuracy`.
        high: See `accuracy`.
        dev_accuracy: On dev.
        log_likelihood: Mean log-probability of the gold class on test.
        phrases: Phrases per sentence of test.
        words: Words retained per sentence of test.
        gain: Accuracy above that of the plain LSTM, on the runs that both have, with its 95% interval, paired.
        gain_low: See `gain`.
        gain_high: See `gain`.
        p: Of the paired t test of `gain`, adjusted for all the comparisons of the table (Holm).
        seconds: Processor seconds of a run, mean over those that ran in one piece.
        published: Published accuracy.
    """

    corpus: str
    variant: str
    runs: int
    planned: int
    accuracy: float = math.nan
    low: float = math.nan
    high: float = math.nan
    dev_accuracy: float = math.nan
    log_likelihood: float = math.nan
    phrases: float = math.nan
    words: float = math.nan
    gain: float = math.nan
    gain_low: float = math.nan
    gain_high: float = math.nan
    p: float = math.nan
    seconds: float = math.nan
    published: float = math.nan
    over: str = "runs"


@dataclass(frozen=True)
class _Runs:
    """The finished runs of a variant on a corpus, by number."""

    planned: int
    results: Mapping[int, Mapping[str, Any]]

    def figures(self, split: str, name: str) -> list[float]:
        """A figure of each run that has it."""
        return [result[split][name] for result in self.results.values() if name in result[split]]

    @property
    def overlap(self) -> float:
        """See `overlap`."""
        return overlap(list(self.results.values()))

    def accuracy(self, number: int) -> float:
        """On test, of one run."""
        return float(self.results[number]["test"]["accuracy"])

    def verdicts(self, numbers: Sequence[int]) -> list[float]:
        """See `verdicts`."""
        return verdicts([self.results[number] for number in numbers])


def verdicts(results: Sequence[Mapping[str, Any]]) -> list[float]:
    """How often each test sentence was classified right, the mean over those of some runs that it is in."""
    by_corpus: dict[str, list[NDArray[np.bool_]]] = {}
    for result in results:
        correct = unpack(result["test"]["correct"], result["test"]["sentences"])
        by_corpus.setdefault(result["config"]["corpus"], []).append(correct)  # each fold is a corpus of its own
    means: list[float] = np.concatenate([np.mean(runs, 0) for runs in by_corpus.values()]).tolist()
    return means


def overlap(results: Sequence[Mapping[str, Any]]) -> float:
    """Test sentences by training sentences of runs on folds; 0 of runs on one split, which differ in their seeds only.

    See `hs_env.experiments.statistics.t_interval`.

    Raises:
        HsEnvError: If a result on a fold does not say how many training sentences it had.
    """
    if len({result["config"]["corpus"] for result in results}) == 1:
        return 0.0
    if old := [result["key"] for result in results if "train_sentences" not in result]:
        raise HsEnvError(
            f"The result {old[0]!r} does not say how many sentences it was trained on, which intervals over folds "
            "need: it is of an older version. Take its line out of the ledger, and run it again."
        )
    tested = sum(int(result["test"]["sentences"]) for result in results)
    return tested / sum(int(result["train_sentences"]) for result in results)


def summarise(cells: Sequence[Cell], results: Results, published: Mapping[str, Mapping[str, float]]) -> list[Line]:
    """A line for each corpus and variant of a grid that has a result, and one for each variant over all corpora.

    Args:
        cells: The grid.
        results: Of its cells; others are left out.
        published: Accuracy by corpus and variant.
    """
    groups = _groups(cells, results)
    raw = [_line(corpus, variant, runs, groups, published) for (corpus, variant), runs in groups.items()]
    adjusted = holm([line.p for line in raw])
    lines = [replace(line, p=p) for line, p in zip(raw, adjusted, strict=True)]
    return [line for line in lines if line.runs] + _over_all(groups)


def _groups(cells: Sequence[Cell], results: Results) -> dict[tuple[str, str], _Runs]:
    """The runs of each corpus and variant, in the order of the grid, corpus by corpus."""
    grouped: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        grouped.setdefault((cell.corpus, cell.variant), []).append(cell)
    corpora = list(dict.fromkeys(corpus for corpus, _ in grouped))
    return {
        place: _Runs(len(group), {cell.number: results[cell.key] for cell in group if cell.key in results})
        for place, group in sorted(grouped.items(), key=lambda item: corpora.index(item[0][0]))
    }


def _line(
    corpus: str,
    variant: str,
    runs: _Runs,
    groups: Mapping[tuple[str, str], _Runs],
    published: Mapping[str, Mapping[str, float]],
) -> Line:
    """One line, its p value not yet adjusted."""
    if not runs.results:
        return Line(corpus, variant, 0, runs.planned)
    reference = None if variant == REFERENCE else groups.get((corpus, REFERENCE))
    shared = [] if reference is None else sorted(runs.results.keys() & reference.results.keys())
    few = min(len(runs.results), len(shared) or FEW) < FEW
    every = runs.verdicts(list(runs.results)) if few else runs.figures("test", "accuracy")
    shared_training = 0.0 if few else runs.overlap
    accuracy = t_interval(every, shared_training)
    gain, p = Interval(math.nan, math.nan, math.nan), math.nan
    if reference is not None and shared:
        own, plain = (
            group.verdicts(shared) if few else [group.accuracy(at) for at in shared] for group in (runs, reference)
        )
        gain, p = paired_test(own, plain, shared_training)
    whole = [result["cpu_seconds"] for result in runs.results.values() if len(result["record"]) == 1]
    return Line(
        corpus,
        variant,
        len(runs.results),
        runs.planned,
        accuracy=accuracy.value,
        low=accuracy.low,
        high=accuracy.high,
        dev_accuracy=_mean(runs.figures("dev", "accuracy")),
        log_likelihood=_mean(runs.figures("test", "log_likelihood")),
        phrases=_mean(runs.figures("test", "phrases_per_sentence")),
        words=_mean(runs.figures("test", "words_retained")),
        gain=gain.value,
        gain_low=gain.low,
        gain_high=gain.high,
        p=p,
        seconds=_mean(whole),
        published=published.get(corpus, {}).get(variant, math.nan),
        over="sentences" if few else "runs",
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _over_all(groups: Mapping[tuple[str, str], _Runs]) -> list[Line]:
    """The interquartile mean of every variant that has results on every corpus of which there are any.

    It is of as many runs as each has at least; variants of few runs are left out if the reference has more.
    """
    corpora = list(dict.fromkeys(corpus for (corpus, _), runs in groups.items() if runs.results))
    complete = {
        variant: [groups[corpus, variant] for corpus in corpora]
        for variant in dict.fromkeys(variant for _, variant in groups)
        if all((corpus, variant) in groups and groups[corpus, variant].results for corpus in corpora)
    }
    enough = {name: row for name, row in complete.items() if all(len(runs.results) >= FEW for runs in row)}
    complete = enough if REFERENCE in enough else complete
    if len(corpora) < 2 or not complete:
        return []
    runs = min(len(group.results) for row in complete.values() for group in row)
    lines = []
    for variant, row in complete.items():
        scores = np.array([[group.accuracy(at) for at in sorted(group.results)[:runs]] for group in row]).T
        mean = interquartile_mean(scores)
        planned = min(group.planned for group in row)
        lines.append(Line(ALL, variant, runs, planned, mean.value, mean.low, mean.high))
    return lines


# How it is written ---------------------------------------------------------------------------------------------------


def load_published(path: Path) -> dict[str, dict[str, float]]:
    """Published accuracy by corpus and variant, of a TOML file with per cent: `[mr]`, `hs_lstm = 82.1`.

    Raises:
        HsEnvError: If the file is missing or broken.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return {corpus: {name: float(v) / 100 for name, v in table.items()} for corpus, table in tables.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise HsEnvError(f"{path} holds no published figures: {error}.") from error


def to_csv(lines: Sequence[Line]) -> str:
    """Every field of every line, as it is; nothing where there is no number."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([field.name for field in fields(Line)])
    for line in lines:
        writer.writerow(["" if value != value else value for value in astuple(line)])
    return out.getvalue()


def to_markdown(lines: Sequence[Line]) -> str:
    """A table for each corpus, in per cent, with the best accuracy in bold."""
    parts = []
    for corpus in dict.fromkeys(line.corpus for line in lines):
        own = [line for line in lines if line.corpus == corpus]
        parts.append(_pooled(own) if corpus == ALL else _table(corpus, own))
    if any(line.over == "sentences" for line in lines):
        parts.append(f"† Fewer than {FEW} runs: intervals and p are over the sentences, not over runs.\n")
    return "\n".join(parts)


def _table(corpus: str, lines: Sequence[Line]) -> str:
    best = max(line.accuracy for line in lines)
    rows = [
        f"## {corpus}\n",
        "| | Runs | Accuracy % | Dev % | Log-lik. | Phrases, words | Less plain LSTM | p | Published % | Core s |",
        "|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for line in lines:
        chosen = f"{_figure(line.phrases, 1)} p" if line.phrases == line.phrases else f"{_figure(line.words, 1)} w"
        cells = [
            line.variant,
            _runs(line),
            _percent(line.accuracy, line.low, line.high, bold=line.accuracy == best),
            _figure(100 * line.dev_accuracy, 1),
            _figure(line.log_likelihood, 3),
            "—" if chosen.startswith("—") else chosen,
            _percent(line.gain, line.gain_low, line.gain_high, sign="+"),
            _figure(line.p, 3),
            _figure(100 * line.published, 1),
            _figure(line.seconds, 0),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _runs(line: Line) -> str:
    """How many there are; with a mark where intervals are over the sentences."""
    runs = str(line.runs) if line.runs == line.planned else f"{line.runs} of {line.planned}"
    return f"{runs} †" if line.over == "sentences" else runs


def _pooled(lines: Sequence[Line]) -> str:
    best = max(line.accuracy for line in lines)
    rows = [f"## {ALL}\n", f"| | Interquartile mean %, {lines[0].runs} runs each |", "|:--|--:|"]
    for line in lines:
        rows.append(f"| {line.variant} | {_percent(line.accuracy, line.low, line.high, line.accuracy == best)} |")
    return "\n".join(rows) + "\n"


def _figure(value: float, decimals: int, sign: str = "") -> str:
    """A figure with a true minus sign, or a dash."""
    return f"{value:{sign}.{decimals}f}".replace("-", "−") if value == value else "—"


def _percent(value: float, low: float, high: float, bold: bool = False, sign: str = "") -> str:
    """`**78.1** (77.0 to 79.2)`."""
    figure = _figure(100 * value, 1, sign)
    figure = f"**{figure}**" if bold else figure
    return figure if low != low else f"{figure} ({_figure(100 * low, 1, sign)} to {_figure(100 * high, 1, sign)})"
