"""Train one configuration with several seeds, and report the mean over the runs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from hs_env.errors import HsEnvError
from hs_env.evaluation.table import Comparison, Row
from hs_env.experiments.grid import Cell
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.runner import run_cells
from hs_env.experiments.statistics import t_interval
from hs_env.experiments.summary import check_same_data
from hs_env.metrics.bootstrap import Interval
from hs_env.models import MODELS, StructuredEncoder
from hs_env.storage import check_folder
from hs_env.training.config import ResolvedConfig, TrainConfig

LEDGER = "ledger.jsonl"
"""Name of the ledger in the folder of the runs."""
TABLE = "seeds"
"""Stem of the files of the table in this folder."""


def train_seeds(
    config: TrainConfig,
    seeds: Sequence[int],
    out: Path | None = None,
    jobs: int = 1,
    console: Console | None = None,
) -> Comparison:
    """Train a configuration with several seeds, each in a process and a folder `seed-N` of its own.

    A seed that is finished is not repeated, and one that was stopped continues. Each process has one thread, unless the
    configuration says otherwise, so that the results do not depend on `jobs`.

    Args:
        config: Configuration; its own seed is not used.
        seeds: Seeds, at least one.
        out: Folder of the runs; by default `runs/<corpus>-<model>-<digest>`, the same for the same configuration.
        jobs: Number of processes at a time.
        console: Console that shows progress; by default standard error.

    Returns:
        Scores on test of each seed of this configuration that is finished in the folder, and their mean with its 95%
        interval over the seeds. Also saved in the folder.

    Raises:
        HsEnvError: If no seed, or one twice, is given, `jobs` is below 1, or a run failed or was killed.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise HsEnvError(f"Expected one seed or more, each once, got {' '.join(map(str, seeds)) or 'none'}.")
    if jobs < 1:
        raise HsEnvError(f"jobs must be 1 or more, got {jobs}.")
    resolved = replace(config.resolve().located(), threads=config.threads or 1)
    out = out or _default_folder(config, resolved)
    check_folder(out)
    console, ledger = console or Console(stderr=True), Ledger(out / LEDGER)
    done = ledger.results()
    cells = {
        seed: Cell(config.corpus, resolved.model, seed, replace(resolved, seed=seed))
        for seed in sorted({*seeds, *(entry["number"] for entry in done.values() if type(entry.get("number")) is int)})
    }
    cells = {seed: cell for seed, cell in cells.items() if seed in seeds or cell.key in done}
    faults = run_cells([*cells.values()], ledger, lambda cell: out / f"seed-{cell.number}", jobs, console)
    if faults:
        raise HsEnvError(
            f"{len(faults)} of {len(seeds)} seeds have no result: {faults[0]}. Once the cause is gone, repeat "
            "the command."
        )
    done = ledger.results()
    results = {seed: done[cell.key] for seed, cell in cells.items()}
    check_same_data([*results.values()])
    table = seeds_table(resolved, results)
    table.save(out, TABLE)
    console.print(f"The runs are in {out}", highlight=False, soft_wrap=True, markup=False)
    return table


def seeds_table(config: ResolvedConfig, results: Mapping[int, Mapping[str, Any]]) -> Comparison:
    """Return the scores on test of each seed, from the results of its ledger, and their means."""
    scores = {
        seed: {name: value for name, value in result["test"].items() if isinstance(value, float)}
        for seed, result in results.items()
    }
    rows = [
        Row(f"seed {seed}", {name: Interval(value, math.nan, math.nan) for name, value in found.items()})
        for seed, found in scores.items()
    ]
    if len(scores) > 1:
        shared = [name for name in next(iter(scores.values())) if all(name in found for found in scores.values())]
        means = {name: t_interval([found[name] for found in scores.values()]) for name in shared}
        rows.append(Row(f"mean of {len(scores)}", means, "interval over seeds"))
    kind = MODELS.get(config.model)
    columns = kind.problem.columns if issubclass(kind, StructuredEncoder) else ()
    sentences = next(iter(results.values()))["test"]["sentences"]
    title = f"{kind.title} on {config.corpus}, test: {sentences:,} sentences"
    caption = "Intervals of the mean: 95%, over the seeds, by Student's t." if len(scores) > 1 else ""
    return Comparison(title, rows, caption, columns)


def _default_folder(config: TrainConfig, resolved: ResolvedConfig) -> Path:
    digest = Cell("", "", 0, replace(resolved, seed=0)).key.rpartition("-")[2]
    corpus = re.sub(r"[^\w.]+", "-", Path(config.corpus).stem)[:60]
    return Path("runs") / f"{corpus}-{config.model}-{digest}"
