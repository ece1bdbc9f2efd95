"""The results of a grid as a table: means over runs, differences from the plain LSTM, and published accuracy."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hs_env.corpora.spec import take_settings
from hs_env.errors import HsEnvError
from hs_env.experiments.grid import Cell
from hs_env.experiments.result import is_result, unpack
from hs_env.experiments.statistics import holm, interquartile_mean, paired_test, t_interval
from hs_env.metrics.bootstrap import Interval
from hs_env.settings import read_toml
from hs_env.training.digests import VECTORS

REFERENCE: Final = "plain_lstm"
"""Name of the variant that the others are compared with."""
ALL: Final = "all corpora"
"""Name in the place of a corpus for the interquartile mean over all corpora."""

FEW: Final = 3
"""Minimum number of runs for intervals and tests over runs; with fewer runs they are over sentences."""

Results = Mapping[str, Mapping[str, Any]]
"""Results of a ledger by key."""


@dataclass(frozen=True)
class Line:
    """Summary of a variant on a corpus; numbers that do not apply or are not known yet are NaN.

    Attributes:
        corpus: Name of the corpus in the grid, or `ALL`.
        variant: Name of the variant in the grid.
        runs: Number of finished runs.
        planned: Number of runs in the grid.
        accuracy: Mean accuracy on test.
        low, high: 95% interval of `accuracy`.
        dev_accuracy: Mean accuracy on dev.
        log_likelihood: Mean log-probability of the gold class on test, in nats.
        phrases, words: Phrases, and words retained or read, per sentence of test.
        gain: Mean of accuracy minus that of the plain LSTM, over the pairs of runs with the same seed or fold.
        gain_low, gain_high: 95% interval of `gain`.
        p: p value of the paired t test of `gain`, adjusted for all comparisons of the table (Holm).
        seconds: Mean CPU seconds of a run, over the runs that were never interrupted.
        published: Published accuracy.
        over: Unit of intervals and tests: "runs", or "sentences" if there are fewer than `FEW` runs. Over sentences,
            each sentence counts with its mean over runs, so the variation between runs is not included.
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
    """The finished runs of a variant on a corpus, by seed or fold."""

    planned: int
    results: Mapping[int, Mapping[str, Any]]

    def scores(self, split: str, name: str) -> list[float]:
        """Return a metric of each run that has it."""
        return [result[split][name] for result in self.results.values() if name in result[split]]

    @property
    def overlap(self) -> float:
        return overlap(list(self.results.values()))

    def accuracy(self, number: int) -> float:
        return float(self.results[number]["test"]["accuracy"])

    def sentence_accuracies(self, numbers: Sequence[int]) -> list[float]:
        return sentence_accuracies([self.results[number] for number in numbers])


def sentence_accuracies(results: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return for each test sentence the share, from 0 to 1, of the runs on its corpus that classify it correctly.

    Each fold counts as a corpus of its own. Corpora are in the order of their first runs.
    """
    by_corpus: dict[str, list[NDArray[np.bool_]]] = {}
    for result in results:
        correct = unpack(result["test"]["correct"], result["test"]["sentences"])
        by_corpus.setdefault(result["config"]["corpus"], []).append(correct)  # each fold is a corpus of its own
    means: list[float] = np.concatenate([np.mean(runs, 0) for runs in by_corpus.values()]).tolist()
    return means


def overlap(results: Sequence[Mapping[str, Any]]) -> float:
    """Return the ratio of test to training sentences of runs on the folds of a corpus; 0 for other runs.

    `hs_env.experiments.statistics.t_interval` says what it is for.

    Raises:
        HsEnvError: If a result on a fold lacks the number of training sentences.
    """
    names = [take_settings(result["config"]["corpus"], ("fold",)) for result in results]
    if len({rest for rest, _ in names}) > 1 or len({fold["fold"] for _, fold in names if fold}) < 2:
        return 0.0
    if old := [result["key"] for result in results if "train_sentences" not in result]:
        raise HsEnvError(
            f"The result {old[0]!r} does not say how many sentences it was trained on. Intervals over folds need this "
            "number, which older versions did not save. Remove its line from the ledger, and run it again."
        )
    tested = sum(int(result["test"]["sentences"]) for result in results)
    return tested / sum(int(result["train_sentences"]) for result in results)


def summarise(cells: Sequence[Cell], results: Results, published: Mapping[str, Mapping[str, float]]) -> list[Line]:
    """Summarise each variant on each corpus that has results, then each variant over all corpora.

    Raises:
        HsEnvError: If a result is damaged, or two results are of different data under one name.
    """
    groups = _groups(cells, results)
    raw = [_line(corpus, variant, runs, groups, published) for (corpus, variant), runs in groups.items()]
    adjusted = holm([line.p for line in raw])
    lines = [replace(line, p=p) for line, p in zip(raw, adjusted, strict=True)]
    return [line for line in lines if line.runs] + _over_all(groups)


def runs_of(cells: Sequence[Cell], results: Results) -> dict[tuple[str, str], dict[int, Mapping[str, Any]]]:
    """Return the results of each variant on each corpus by seed or fold, in the order of the grid, corpus by corpus."""
    grouped: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    for corpus in dict.fromkeys(cell.corpus for cell in cells):
        for cell in cells:
            if cell.corpus == corpus:
                group = grouped.setdefault((corpus, cell.variant), {})
                if cell.key in results:
                    group[cell.number] = _checked(results, cell.key)
    return grouped


def _groups(cells: Sequence[Cell], results: Results) -> dict[tuple[str, str], _Runs]:
    planned, found = Counter((cell.corpus, cell.variant) for cell in cells), runs_of(cells, results)
    check_same_data([result for runs in found.values() for result in runs.values()])
    return {place: _Runs(planned[place], runs) for place, runs in found.items()}


def check_same_data(results: Sequence[Mapping[str, Any]]) -> None:
    """Check that equal names of corpora, and of word vectors for a corpus and a seed, meant the same data.

    Raises:
        HsEnvError: If they did not. Results of older versions, which do not say what they have read, pass.
    """
    first: dict[tuple[Any, ...], tuple[str, str]] = {}
    for result in results:
        if "data" not in result:
            continue
        config, data = result["config"], result["data"]
        corpus, vectors = config["corpus"], config.get("vectors")
        shared: dict[tuple[Any, ...], str] = {
            **{(corpus, name): f"corpus {corpus!r}" for name in ("sentences", "labels", "splits")},
            (corpus, vectors, config.get("seed"), VECTORS): f"word vectors {vectors!r}",
        }
        for place, what in shared.items():
            if (digest := data.get(place[-1])) is not None:
                before, key = first.setdefault(place, (digest, result["key"]))
                if before != digest:
                    raise HsEnvError(
                        f"The runs {key!r} and {result['key']!r} of the ledger have read different data as the {what}, "
                        "so they cannot be compared. Remove the lines of one of the two from the ledger, or choose "
                        "another folder."
                    )


def _checked(results: Results, key: str) -> Mapping[str, Any]:
    """Return a result that has what the table needs.

    Raises:
        HsEnvError: If it has not.
    """
    if not is_result(results[key]):
        raise HsEnvError(f"The result {key!r} in the ledger is damaged. Remove its line, and repeat the command.")
    return results[key]


def _line(
    corpus: str,
    variant: str,
    runs: _Runs,
    groups: Mapping[tuple[str, str], _Runs],
    published: Mapping[str, Mapping[str, float]],
) -> Line:
    """Summarise a variant on a corpus; the p value is not adjusted yet."""
    if not runs.results:
        return Line(corpus, variant, 0, runs.planned)
    reference = None if variant == REFERENCE else groups.get((corpus, REFERENCE))
    shared = [] if reference is None else sorted(runs.results.keys() & reference.results.keys())
    few = min(len(runs.results), len(shared) or FEW) < FEW
    every = runs.sentence_accuracies(list(runs.results)) if few else runs.scores("test", "accuracy")
    shared_training = 0.0 if few else runs.overlap
    accuracy = t_interval(every, shared_training)
    gain, p = Interval(math.nan, math.nan, math.nan), math.nan
    if reference is not None and shared:
        own, plain = (
            group.sentence_accuracies(shared) if few else [group.accuracy(at) for at in shared]
            for group in (runs, reference)
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
        dev_accuracy=_mean(runs.scores("dev", "accuracy")),
        log_likelihood=_mean(runs.scores("test", "log_likelihood")),
        phrases=_mean(runs.scores("test", "phrases_per_sentence")),
        words=_mean(runs.scores("test", "words_retained") or runs.scores("test", "words_read")),
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
    """Return the interquartile mean of every variant that has results on all corpora with results.

    All means use the same number of runs: the smallest that a variant has on a corpus. If the reference has `FEW` runs
    or more on every corpus, variants that have fewer on some corpus are left out.
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


# Formats -------------------------------------------------------------------------------------------------------------


def load_published(path: Path) -> dict[str, dict[str, float]]:
    """Load published accuracy by corpus and variant from a TOML file, in percent there: `[mr]`, `hs_lstm = 82.1`.

    Raises:
        HsEnvError: If the file is missing or malformed.
    """
    tables = read_toml(path, "file of published accuracy")
    try:
        return {corpus: {name: float(v) / 100 for name, v in table.items()} for corpus, table in tables.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise HsEnvError(f"{path} is not a readable file of published accuracy: {error}.") from error


def to_csv(lines: Sequence[Line]) -> str:
    """Return all fields of all lines as CSV; NaN is an empty field."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([field.name for field in fields(Line)])
    for line in lines:
        writer.writerow(["" if value != value else value for value in astuple(line)])
    return out.getvalue()


def to_markdown(lines: Sequence[Line]) -> str:
    """Return a Markdown table per corpus, with the best accuracy in bold."""
    parts = []
    for corpus in dict.fromkeys(line.corpus for line in lines):
        own = [line for line in lines if line.corpus == corpus]
        parts.append(_pooled(own) if corpus == ALL else _table(corpus, own))
    if any(line.over == "sentences" for line in lines):
        few = f"Fewer than {FEW} runs, or pairs of runs with the plain LSTM"
        parts.append(f"† {few}: intervals and p are over the sentences, not over runs.\n")
    return "\n".join(parts)


def _table(corpus: str, lines: Sequence[Line]) -> str:
    best = max(line.accuracy for line in lines)
    rows = [
        f"## {corpus}\n",
        "| | Runs | Accuracy % | Dev % | Log-lik. | Phrases, words | Less plain LSTM | p | Published % | Core s |",
        "|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for line in lines:
        chosen = f"{_number(line.phrases, 1)} p" if line.phrases == line.phrases else f"{_number(line.words, 1)} w"
        cells = [
            line.variant,
            _runs(line),
            _percent(line.accuracy, line.low, line.high, bold=line.accuracy == best),
            _number(100 * line.dev_accuracy, 1),
            _number(line.log_likelihood, 3),
            "—" if chosen.startswith("—") else chosen,
            _percent(line.gain, line.gain_low, line.gain_high, sign="+"),
            _number(line.p, 3),
            _number(100 * line.published, 1),
            _number(line.seconds, 0),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _runs(line: Line) -> str:
    """Format the number of runs, with a mark if intervals are over sentences."""
    runs = str(line.runs) if line.runs == line.planned else f"{line.runs} of {line.planned}"
    return f"{runs} †" if line.over == "sentences" else runs


def _pooled(lines: Sequence[Line]) -> str:
    best = max(line.accuracy for line in lines)
    rows = [f"## {ALL}\n", f"| | Interquartile mean %, {lines[0].runs} runs each |", "|:--|--:|"]
    for line in lines:
        rows.append(f"| {line.variant} | {_percent(line.accuracy, line.low, line.high, line.accuracy == best)} |")
    return "\n".join(rows) + "\n"


def _number(value: float, decimals: int, sign: str = "") -> str:
    """Format a number with a typographic minus sign; NaN is a dash."""
    return f"{value:{sign}.{decimals}f}".replace("-", "−") if value == value else "—"


def _percent(value: float, low: float, high: float, bold: bool = False, sign: str = "") -> str:
    """Format a share in percent with its interval: `**78.1** (77.0 to 79.2)`."""
    number = _number(100 * value, 1, sign)
    number = f"**{number}**" if bold else number
    return number if low != low else f"{number} ({_number(100 * low, 1, sign)} to {_number(100 * high, 1, sign)})"
