"""Print the table of characters and words: accuracy on test sentences, as they are and with typos.

The runs are those of `hs-env sweep scripts/characters.toml --out OUT`. What they score is kept in
docs/results/characters.jsonl, from which the table is made without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from command import run_script

import hs_env
from hs_env.errors import HsEnvError
from hs_env.evaluation.runs import predictions_of
from hs_env.experiments.grid import load_grid
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.statistics import t_interval
from hs_env.metrics.bootstrap import Interval, intervals
from hs_env.training.run import Run

GRID: Final = Path(__file__).with_suffix(".toml")
RESULTS: Final = Path(hs_env.__file__).parents[1] / "docs" / "results" / "characters.jsonl"
NOISE: Final = 0.1
"""Share of the words with a typo."""


def scores(folder: Path, corpus: str, variant: str, result: dict[str, Any]) -> dict[str, Any]:
    """Score a run on clean and on noisy test sentences; the result is an entry of the ledger `RESULTS`."""
    run = Run.load(folder)
    entry: dict[str, Any] = {"key": folder.name, "corpus": corpus, "variant": variant}
    entry["cpu_seconds"] = result["cpu_seconds"]
    for name, each in (("clean", run), ("noisy", replace(run, noise=NOISE))):
        accuracy = intervals(predictions_of(each, "test"))["accuracy"]
        entry[name] = [accuracy.value, accuracy.low, accuracy.high]
    return entry


def table(entries: Iterable[Mapping[str, Any]]) -> str:
    """Format results as a Markdown table; intervals are over runs if there are several, else over sentences."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for entry in entries:
        groups.setdefault((entry["corpus"], entry["variant"]), []).append(entry)
    lines = [
        "| corpus | | runs | accuracy % | with typos in a tenth of the words | seconds |",
        f"|:--|:--|{'--:|' * 4}",
    ]
    for (corpus, variant), group in groups.items():
        cells = [f"`{corpus}`", f"`{variant}`", str(len(group))]
        for name in ("clean", "noisy"):
            values = [entry[name][0] for entry in group]
            interval = t_interval(values) if len(values) > 1 else Interval(*group[0][name])
            cells.append(f"{100 * interval.value:.1f} ({100 * interval.low:.1f}–{100 * interval.high:.1f})")
        cells.append(f"{sum(entry['cpu_seconds'] for entry in group) / len(group):,.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(out: Path | None = None, data_dir: Path = Path("data")) -> None:
    """Score the runs of a sweep that have no scores yet, if its folder is given, and print the table.

    Args:
        out: Folder that the sweep wrote.
        data_dir: Folder of the data sets.

    Raises:
        HsEnvError: If the folder has no finished run of the grid.
    """
    kept = Ledger(RESULTS)
    if out is not None:
        trained = Ledger(out / "ledger.jsonl").results()
        cells = [cell for cell in load_grid(GRID, data_dir) if cell.key in trained]
        if not cells:
            raise HsEnvError(f"{out} has no finished run of {GRID.name}. Make one: hs-env sweep {GRID} --out {out}")
        scored = kept.results()
        for cell in cells:
            if cell.key not in scored:
                kept.append(scores(out / "cells" / cell.key, cell.corpus, cell.variant, dict(trained[cell.key])))
    print(table(kept.results().values()))


if __name__ == "__main__":
    run_script(main)
