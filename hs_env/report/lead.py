"""Say in a few sentences what a run learned, and how accurate it is beside its baselines."""

from __future__ import annotations

from typing import Final

from hs_env.agents import BASELINES
from hs_env.evaluation import Comparison, Row
from hs_env.models import StructuredEncoder
from hs_env.registry import stem_of
from hs_env.training.run import Run

_LEVEL: Final = 0.05
"""Largest p of a difference that is called significant."""


def lead(run: Run, split: str, comparison: Comparison) -> list[str]:
    """Return sentences on the training, the accuracy, the plain LSTM, and the simplest baselines."""
    model, corpus, first = run.classifier.model, run.data(split).corpus, comparison.rows[0]
    decisions = f" with {first.note}" if isinstance(model, StructuredEncoder) and run.is_own else ""
    name = first.name[:1].upper() + first.name[1:]
    updates = sum(run.classifier_updates.values())
    return [
        f"{name}{decisions} was trained on {corpus.counts['train']:,} sentences of {corpus.name} "
        f"({updates:,} updates of the classifier).",
        f"Of {corpus.counts[split]:,} sentences of {split}, it classifies {_accuracy(first)} correctly.",
        *_plain(comparison),
        *_simple(comparison),
    ]


def _accuracy(row: Row) -> str:
    found = row.intervals["accuracy"]
    return f"{found.value:.1%} (95% interval {100 * found.low:.1f}–{100 * found.high:.1f}%)"


def _plain(comparison: Comparison) -> list[str]:
    """Compare with the plain LSTM, if there is one."""
    paired = comparison.paired
    if paired is None:
        return []
    plain = next(row for row in comparison.rows if row.name == paired.second)
    gain, p = paired.accuracy, paired.test.p
    verdict = "significant" if p < _LEVEL else "not significant"
    ends = f"{100 * gain.low:+.1f} to {100 * gain.high:+.1f}".replace("-", "−")
    return [
        f"A plain LSTM, trained for as many updates, classifies {_accuracy(plain)} correctly. The difference, "
        f"{100 * gain.value:+.1f} points ({ends}), is {verdict} (p = {p:.2g}, McNemar's exact test).".replace(
            " -", " −"
        )
    ]


def _rules() -> set[str]:
    """Return the names of the baselines that follow a rule: all but `random` and those that take gold actions."""
    return {stem_of(name) for name, kind in BASELINES.items() if not kind.needs_gold} - {"random"}


def _simple(comparison: Comparison) -> list[str]:
    """Name the best baseline policy, and the share of the most frequent class."""
    named = _rules()
    rules = [row for row in comparison.rows if row.name in named and row.note == "same classifier"]
    best = max(rules, key=lambda row: row.intervals["accuracy"].value, default=None)
    found = [] if best is None else [f"The best rule on the same classifier, {best.name}, reaches {_accuracy(best)}."]
    if comparison.classes is not None:
        most = max(comparison.classes.classes, key=lambda each: each.support)
        share = most.support / max(sum(each.support for each in comparison.classes.classes), 1)
        found.append(f"The most frequent class, {most.name}, makes up {share:.1%}.")
    return found
