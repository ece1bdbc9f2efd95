"""The contents of a report and their HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console

from hs_env.errors import HsEnvError
from hs_env.evaluation import Comparison, Row, compare
from hs_env.metrics.scores import greedy_episodes
from hs_env.models import StructuredEncoder
from hs_env.render import Segmented, to_html
from hs_env.render.episodes import segmented
from hs_env.report.charts import accuracy_chart, learning_curves, reliability_chart
from hs_env.report.template import Markup, flat, records_of, render
from hs_env.storage import StrPath, read_json
from hs_env.training.run import Run
from hs_env.training.stages import HISTORY

_SHOWN: Final = 25
"""Maximum number of example sentences of each kind."""


@dataclass(frozen=True)
class Section:
    """The part of the page about one run; `name` is that of its folder.

    Attributes:
        chart: Data URL of the chart of accuracies.
        reliability: Data URL of the reliability curve.
        curves: Data URL of the learning curves, empty if the run has no history.
        examples: Example sentences by title: index in the split, and HTML.
        settings: Configuration by dotted name of the field.
        records: Versions, machine and command of each process that trained the run.
    """

    name: str
    comparison: Comparison
    chart: str
    reliability: str
    curves: str
    examples: Mapping[str, Sequence[tuple[int, Markup]]]
    settings: Mapping[str, str]
    records: Sequence[Mapping[str, str]]


def make_report(
    runs: Sequence[Run | StrPath], split: str = "test", console: Console | None = None, oracle: int = 0
) -> str:
    """Return a page about runs: tables with intervals, learning curves, sentences, configuration and versions.

    `hs_env.evaluation.compare` evaluates each run; it trains the plain LSTM to compare with if there is none yet. The
    HTML loads nothing and is also well-formed XML. The same runs give the same page.

    Args:
        runs: Finished runs or their folders, at least one.
        split: Sentences to evaluate on.
        console: Console that shows progress; None is standard error.
        oracle: Width of the beam search for the row `oracle`; 0 leaves the row out.

    Raises:
        HsEnvError: If there are no runs.
    """
    if not runs:
        raise HsEnvError("A report needs one run or more, got none.")
    loaded = [run if isinstance(run, Run) else Run.load(run) for run in runs]
    sections = [_section(run, split, compare(run, split, console, oracle)) for run in loaded]
    rows = [
        Row(
            f"{section.name}: {section.comparison.rows[0].name}",
            section.comparison.rows[0].intervals,
            section.comparison.title,
        )
        for section in sections
    ]
    summary = Comparison(f"{len(runs)} runs", rows) if len(runs) > 1 else None
    names = ", ".join(section.name for section in sections)
    return render("page.html", names=names, sections=sections, summary=summary, split=split)


def _section(run: Run, split: str, comparison: Comparison) -> Section:
    epochs = read_json(run.folder / HISTORY).get("epochs", [])
    if not isinstance(epochs, list) or not all(isinstance(each, dict) for each in epochs):
        raise HsEnvError(f"{run.folder / HISTORY} is not what hs-env wrote. Was it edited?")
    return Section(
        run.folder.resolve().name,
        comparison,
        accuracy_chart(comparison),
        reliability_chart(comparison.classes.reliability) if comparison.classes else "",
        _curves(run, epochs) if epochs else "",
        {title: [(at, Markup(to_html(shown))) for at, shown in some] for title, some in _examples(run, split).items()},
        dict(flat(run.config.to_json())),
        records_of(run.folder),
    )


def _curves(run: Run, epochs: Sequence[dict[str, Any]]) -> str:
    """Draw the learning curves of a run; a damaged history is an error that names its file."""
    try:
        return learning_curves(epochs)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise HsEnvError(f"{run.folder / HISTORY} is not what hs-env wrote: {error}. Was it edited?") from error


def _examples(run: Run, split: str) -> dict[str, list[tuple[int, Segmented]]]:
    """Return mistakes, uncertain predictions and certain ones by title, each with the index of its sentence."""
    encoder = run.classifier.model
    if not isinstance(encoder, StructuredEncoder) or run.agent is None:
        return {}
    data = run.data(split)
    sentences, labels = data.corpus.splits[split], run.classifier.labels
    found = [
        (index, shown)
        for episodes in greedy_episodes(encoder, run.agent, data.splits[split])
        for index, shown in zip(
            episodes.sentences.indices.tolist(),
            segmented(episodes, sentences, labels, problem=encoder.problem),
            strict=True,
        )
    ]
    doubtful = sorted(found, key=lambda each: (each[1].probability, each[0]))
    certain = sorted(found, key=lambda each: (-(each[1].probability or 0), each[0]))
    mistakes = [each for each in certain if not each[1].correct]
    right = [each for each in certain if each[1].correct]
    return {
        f"Mistakes, the most certain of {len(mistakes):,} first": mistakes[:_SHOWN],
        "Least certain": doubtful[:_SHOWN],
        "Correct and most certain": right[:_SHOWN],
    }
