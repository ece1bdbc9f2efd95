"""The power of a comparison with the plain LSTM: which differences its number of runs can detect."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from hs_env.experiments.grid import Cell
from hs_env.experiments.statistics import are_equal, detectable, runs_to_detect
from hs_env.experiments.summary import REFERENCE, Results, overlap, runs_of

_Numbered = Mapping[int, Mapping[str, Any]]  # results by seed or fold

_POINT: Final = 0.01
"""One point of accuracy."""


@dataclass(frozen=True)
class Power:
    """Power of the comparisons on a corpus.

    Attributes:
        corpus: Name of the corpus in the grid.
        variants: Number of variants that are compared with the plain LSTM.
        runs: Smallest number of pairs of runs of a comparison.
        deviation: Standard deviation of the difference in test accuracy of a pair, pooled over the variants.
        smallest: Smallest true difference that `runs` pairs detect with 80% power; NaN if all pairs differ by the same.
        needed: Number of pairs that detect a difference of one point of accuracy; in words if these are over 1,000, if
            no number suffices, or if all pairs differ by the same.
    """

    corpus: str
    variants: int
    runs: int
    deviation: float
    smallest: float
    needed: str


def power_of(cells: Sequence[Cell], results: Results, variants: Sequence[str]) -> list[Power]:
    """Compute the power on each corpus of the grid, from the pairs of runs that have results.

    Runs on folds share training sentences. This is corrected as in `t_interval`.

    Args:
        cells: Cells of the grid.
        results: Results of a ledger by key.
        variants: Names of the variants to compare with the plain LSTM; all others if empty.
    """
    grouped = {place: runs for place, runs in runs_of(cells, results).items() if runs}
    found = []
    for corpus in dict.fromkeys(corpus for corpus, _ in grouped):
        own = {variant: runs for (its, variant), runs in grouped.items() if its == corpus}
        reference = own.pop(REFERENCE, {})
        pairs = [_differences(runs, reference) for name, runs in own.items() if not variants or name in variants]
        pairs = [each for each in pairs if len(each) > 1]
        if pairs:
            found.append(_power(corpus, pairs, overlap(list(reference.values()))))
    return found


def _differences(runs: _Numbered, reference: _Numbered) -> list[float]:
    """Return the difference in test accuracy of each pair."""
    shared = sorted(runs.keys() & reference.keys())
    return [runs[at]["test"]["accuracy"] - reference[at]["test"]["accuracy"] for at in shared]


def _power(corpus: str, pairs: Sequence[Sequence[float]], shared: float) -> Power:
    squares = sum(float(np.var(each, ddof=1)) * (len(each) - 1) for each in pairs)
    deviation = math.sqrt(squares / sum(len(each) - 1 for each in pairs))
    runs = min(map(len, pairs))
    if all(are_equal(each) for each in pairs):
        return Power(corpus, len(pairs), runs, deviation, math.nan, "—")
    smallest = detectable(deviation, runs, shared)
    needed = runs_to_detect(_POINT, deviation, shared)
    can_be_found = needed is not None or detectable(deviation, 10**6, shared) <= _POINT
    words = "over 1,000" if can_be_found else "none suffices"
    return Power(corpus, len(pairs), runs, deviation, smallest, str(needed or words))


def to_markdown(lines: Sequence[Power]) -> str:
    """Return a Markdown table, in points of accuracy."""
    rows = [
        "| | Variants | Pairs of runs | SD of a difference | Smallest detectable difference | Pairs for 1 point |",
        "|:--|--:|--:|--:|--:|--:|",
    ]
    for line in lines:
        smallest = "—" if math.isnan(line.smallest) else f"{100 * line.smallest:.1f}"
        points = f"{100 * line.deviation:.2f} | {smallest}"
        rows.append(f"| {line.corpus} | {line.variants} | {line.runs} | {points} | {line.needed} |")
    return "\n".join(rows) + "\n"
