"""The contents of a report and their HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from hs_env.compute import Device, isolated
from hs_env.errors import HsEnvError
from hs_env.evaluation import Comparison, Row, compare
from hs_env.metrics.scores import decided_sentences
from hs_env.models import NestedClassifier, StructuredEncoder
from hs_env.models.classifier import Model
from hs_env.render import Segmented, to_html
from hs_env.report.charts import accuracy_chart, learning_curves, reliability_chart
from hs_env.report.lead import lead
from hs_env.report.template import Markup, flat, records_of, render
from hs_env.storage import HISTORY, StrPath
from hs_env.training.run import Run

_SHOWN: Final = 25
"""Maximum number of example sentences of each kind."""


@dataclass(frozen=True)
class Section:
    """The part of the page about one run; `name` is that of its folder.

    Attributes:
        lead: What the run learned and how accurate it is, in sentences.
        chart: Data URL of the chart of accuracies.
        reliability: Data URL of the reliability curve.
        curves: Title and data URL of each learning curve; empty if the run has no history.
        colours: What the colours of words mean, after a space; empty without any.
        examples: Example sentences by title: index in the split, and HTML.
        settings: Configuration by dotted name of the field.
        records: Versions, machine and command of each process that trained the run.
    """

    name: str
    comparison: Comparison
    lead: Sequence[str]
    chart: str
    reliability: str
    curves: Sequence[tuple[str, str]]
    colours: str
    examples: Mapping[str, Sequence[tuple[int, Markup]]]
    settings: Mapping[str, str]
    records: Sequence[Mapping[str, str]]


@isolated
def make_report(
    runs: Sequence[Run | StrPath],
    split: str = "test",
    console: Console | None = None,
    oracle: int = 0,
    device: Device = "auto",
) -> str:
    """Return a page about runs: tables with intervals, learning curves, sentences, configuration and versions.

    `hs_env.evaluation.compare` evaluates each run; it trains the plain LSTM to compare with if there is none yet. The
    HTML loads nothing and is also well-formed XML. The same runs give the same page.

    Args:
        runs: Finished runs or their folders, at least one.
        split: Sentences to evaluate on.
        console: Console that shows progress; None is standard error.
        device: Device to load runs to that are given as folders.
        oracle: Width of the beam search for the row `oracle`; 0 leaves the row out.

    Raises:
        HsEnvError: If there are no runs.
    """
    if not runs:
        raise HsEnvError("A report needs one run or more, got none.")
    loaded = [run if isinstance(run, Run) else Run.load(run, device) for run in runs]
    sections = [_section(run, split, compare(run, split, console, oracle)) for run in loaded]
    columns = {column.name: column for section in sections for column in section.comparison.columns}
    rows = [_summarised(section) for section in sections]
    summary = Comparison("The runs", rows, columns=tuple(columns.values())).parts()[0] if len(runs) > 1 else None
    names = ", ".join(section.name for section in sections)
    return render("page.html", names=names, sections=sections, summary=summary, split=split)


def _summarised(section: Section) -> Row:
    """Return the row of a run in the table of all runs, with the accuracy of its plain LSTM in the note."""
    comparison, first = section.comparison, section.comparison.rows[0]
    plain = [row for row in comparison.rows[1:2] if comparison.paired is not None]
    beside = [f"{row.name} {100 * row.intervals['accuracy'].value:.1f}%" for row in plain]
    return Row(f"{section.name}: {first.name}", first.intervals, "; ".join([comparison.title, *beside]))


def _section(run: Run, split: str, comparison: Comparison) -> Section:
    return Section(
        run.folder.resolve().name,
        comparison,
        lead(run, split, comparison),
        accuracy_chart(comparison),
        reliability_chart(comparison.classes.reliability) if comparison.classes else "",
        _curves(run) if run.history else [],
        _colours(run.classifier.model),
        {title: [(at, Markup(to_html(shown))) for at, shown in some] for title, some in _examples(run, split).items()},
        dict(flat(run.config.to_json())),
        records_of(run.folder),
    )


def _curves(run: Run) -> list[tuple[str, str]]:
    """Draw the learning curves of a run; a damaged history is an error that names its file."""
    try:
        return learning_curves(run.history)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise HsEnvError(f"{run.folder / HISTORY} is not what hs-env wrote: {error}. Was it edited?") from error


def _colours(model: Model) -> str:
    """Say what the colours of the words mean."""
    if not isinstance(model, StructuredEncoder | NestedClassifier):
        return ""
    if isinstance(model, StructuredEncoder) and not model.problem.covers:
        return " Retained words are blue, and deleted ones are struck through."
    return " Phrases alternate between blue and sand."


def _examples(run: Run, split: str) -> dict[str, list[tuple[int, Segmented]]]:
    """Return mistakes, uncertain predictions and certain ones by title, each with the index of its sentence."""
    found = list(_predicted(run, split))
    doubtful = sorted(found, key=lambda each: (each[1].probability, each[0]))
    certain = sorted(found, key=lambda each: (-(each[1].probability or 0), each[0]))
    mistakes = [each for each in certain if not each[1].correct]
    right = [each for each in certain if each[1].correct]
    return {
        f"Mistakes, the most certain of {len(mistakes):,} first": mistakes[:_SHOWN],
        "Least certain": doubtful[:_SHOWN],
        "Correct and most certain": right[:_SHOWN],
    }


def _predicted(run: Run, split: str) -> Iterator[tuple[int, Segmented]]:
    """Yield the index of each sentence, and the sentence with its prediction and its phrases, if the model has any."""
    data, classifier = run.data(split), run.classifier
    sentences, encoded = data.corpus.splits[split], data.splits[split]
    batches = decided_sentences(classifier.model, run.agent, encoded, sentences, classifier.labels)
    for indices, _, decided in batches:
        yield from zip(indices.tolist(), decided, strict=True)
