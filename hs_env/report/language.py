"""The contents of a report on a language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hs_env.compute import Device, isolated
from hs_env.language import LMRun, load_text
from hs_env.language.operations import operations_in
from hs_env.language.sampling import marked_sample
from hs_env.language.scores import score_table
from hs_env.models.hm.layers import HMLSTM
from hs_env.render import operations_svg
from hs_env.report.charts import language_curves
from hs_env.report.template import Markup, flat, records_of, render
from hs_env.storage import StrPath

_LINES: Final = 5
"""Number of lines of the text that are drawn."""
_LONGEST: Final = 96
"""Largest number of characters of a line that are drawn."""
_SAMPLE: Final = 400
"""Number of characters that are sampled."""


@isolated
def make_language_report(run: LMRun | StrPath, split: str = "test", device: Device = "auto") -> str:
    """Return a page about a language model: scores, learning curves, operations of the layers, a sample, configuration.

    The HTML loads nothing and is also well-formed XML. The same run gives the same page.

    Args:
        run: Finished run or its folder.
        split: Part of the text to evaluate on, whose first lines are drawn.
        device: Device to load the run to, if it is given as a folder.

    Raises:
        HsEnvError: If the split is unknown, or the text cannot be loaded or has changed.
    """
    run = run if isinstance(run, LMRun) else LMRun.load(run, device)
    language_model, scores = run.language_model, run.evaluate(split)
    core = language_model.model.core
    sample = marked_sample(language_model, _SAMPLE, language_model.alphabet[0], seed=run.config.seed)
    drawings: Sequence[Markup] = ()
    headings, levels = score_table(scores)
    if isinstance(core, HMLSTM):
        text = load_text(run.config.text, run.config.data_dir).parts[split]
        lines = [line for line in text[:10_000].splitlines() if line.strip()][:_LINES]
        drawings = [Markup(operations_svg(operations_in(language_model, line[:_LONGEST])[0])) for line in lines]
    return render(
        "language.html",
        names=run.folder.resolve().name,
        text=run.config.text,
        split=split,
        scores=scores,
        parameters=language_model.model.size,
        seconds=run.cpu_seconds,
        headings=headings,
        levels=levels,
        curves=language_curves(run.history),
        drawings=drawings,
        sample=sample,
        settings=dict(flat(run.config.to_json())),
        records=records_of(run.folder),
    )
