"""Compare several runs on the sentences of one split, in pairs with the first run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hs_env.compute import Device, isolated
from hs_env.corpora import Corpus
from hs_env.errors import HsEnvError
from hs_env.evaluation.table import CAPTION, Comparison, Row
from hs_env.metrics.bootstrap import difference, intervals
from hs_env.metrics.predictions import Predictions
from hs_env.metrics.scores import greedy_predictions
from hs_env.problems.problem import Column
from hs_env.storage import StrPath
from hs_env.training.run import Run


@isolated
def compare_runs(runs: Sequence[Run | StrPath], split: str = "test", device: Device = "auto") -> Comparison:
    """Evaluate several runs on the same sentences, and how much each differs from the first one.

    The differences in accuracy are paired: both runs are resampled on the same sentences. Nothing is saved.

    Args:
        runs: Two or more finished runs or their folders.
        split: Sentences to evaluate on.
        device: Device to load runs to that are given as folders.

    Raises:
        HsEnvError: If there are fewer than two runs, or the runs have other sentences or classes in this split.
    """
    if len(runs) < 2:
        raise HsEnvError(f"Expected two or more runs to compare, got {len(runs)}.")
    loaded = [run if isinstance(run, Run) else Run.load(run, device) for run in runs]
    corpora = [run.data(split).corpus for run in loaded]
    for run, corpus in zip(loaded[1:], corpora[1:], strict=True):
        _check_same(loaded[0], corpora[0], run, corpus, split)
    found = [predictions_of(run, split) for run in loaded]
    rows = [
        Row(name, intervals(each), _note(run, each, found[0]))
        for name, run, each in zip(_names(loaded), loaded, found, strict=True)
    ]
    columns: dict[str, Column] = {column.name: column for each in found for column in each.columns}
    caption = f"{CAPTION} Differences are those of accuracy to the first run, in points, paired."
    title = f"{loaded[0].config.corpus}, {split}{noise_of(loaded[0])}: {len(found[0]):,} sentences"
    return Comparison(title, rows, caption, tuple(columns.values()))


@isolated
def predictions_of(run: Run, split: str) -> Predictions:
    """Return the predictions of a run, under the greedy decisions of its agent if it has one."""
    return greedy_predictions(run.classifier.model, run.agent, run.data(split).splits[split])


def _check_same(first: Run, expected: Corpus, run: Run, corpus: Corpus, split: str) -> None:
    """Check that two runs have the same sentences and classes in a split.

    Raises:
        HsEnvError: If they differ; the message names both runs.
    """
    ours, theirs = expected.splits[split], corpus.splits[split]
    if expected.labels == corpus.labels and _texts(expected, split) == _texts(corpus, split):
        return
    raise HsEnvError(
        f"The runs {first.folder} and {run.folder} have other sentences in {split}: {first.config.corpus!r} with "
        f"{len(ours):,} sentences and the classes {', '.join(expected.labels)}, and {run.config.corpus!r} with "
        f"{len(theirs):,} and {', '.join(corpus.labels)}. Compare runs of the same corpus, fold and split."
    )


def _texts(corpus: Corpus, split: str) -> list[tuple[str, int]]:
    """Return text and label of each sentence: the same for words, characters and bytes."""
    return [(each.text, each.label) for each in corpus.splits[split]]


def noise_of(run: Run) -> str:
    """Describe the noise that a run is evaluated with, for a title; empty without any."""
    return "" if run.noise is None else f", noise {run.noise:g}"


def _names(runs: Sequence[Run]) -> list[str]:
    """Return the names of the runs' folders; the paths where two have the same name."""
    names = [Path(run.folder).resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.folder) for run in runs]


def _note(run: Run, found: Predictions, first: Predictions) -> str:
    """Return the model of a run, and its difference from the first one."""
    title = run.classifier.model.title
    if found is first:
        return title
    gain = difference(replace(found, lengths=first.lengths), first)  # characters are more than words
    return f"{title}, {100 * gain.value:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
