"""Run the comparison of boundaries in character language models, and print its table.

The grid is `scripts/boundaries.toml`. Runs that the ledger lacks are trained one by one; a stopped run resumes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final, Literal

from command import run_script
from rich.console import Console

from hs_env.experiments.ledger import Ledger
from hs_env.experiments.statistics import t_interval
from hs_env.language import LMConfig
from hs_env.language.run import train_or_resume_lm
from hs_env.settings import make_config, merge_settings, read_toml
from hs_env.training.run_kind import IMMATERIAL

ROOT: Final = Path(__file__).parents[1]
GRID: Final = ROOT / "scripts/boundaries.toml"
LEDGER: Final = ROOT / "docs/results/boundaries.jsonl"
COLUMNS: Final[dict[str, tuple[str, str]]] = {
    "bits": ("bits_per_character", ".3f"),
    "rate": ("boundaries_1", ".1%"),
    "spaces found": ("spaces_found_1", ".1%"),
    "at spaces": ("at_spaces_1", ".1%"),
    "ends found": ("ends_found_1", ".1%"),
    "starts found": ("starts_found_1", ".1%"),
    "variation": ("chunk_variation_1", ".2f"),
    "enrichment": ("enrichment_1", ".2f"),
    "token F1": ("token_f1_1", ".1%"),
    "boundary F1": ("boundary_f1_1", ".1%"),
}
"""Columns of the table: name of the score, and its format."""
WITH_INTERVAL: Final = ("bits_per_character", "token_f1_1")
"""Scores whose mean has its interval over the seeds."""


@dataclass(frozen=True)
class Cell:
    """One run of the grid.

    Attributes:
        variant: Name of the variant.
        config: Configuration of the run, which has its seed.
    """

    variant: str
    config: LMConfig

    @property
    def key(self) -> str:
        """Key of the run in the ledger, and name of its folder. A field with its default value does not affect it."""
        default = LMConfig().to_json()
        values = {name: value for name, value in self.config.to_json().items() if name not in IMMATERIAL}
        differing = {name: value for name, value in values.items() if value != default[name]}
        digest = hashlib.sha256(json.dumps(differing, sort_keys=True).encode()).hexdigest()[:10]
        return re.sub(r"[^\w.]+", "-", f"{self.variant}-{self.config.seed}-{digest}")


def load_cells(grid: Path, data_dir: Path) -> list[Cell]:
    """Return the runs of a grid: the first seed of every variant, then the second ones, and so on."""
    tables = read_toml(grid, "grid")
    cells = []
    for variant, values in tables["variants"].items():
        fields = merge_settings(tables["settings"], {"data_dir": data_dir}, values)
        for seed in range(fields.pop("runs", 1)):
            cells.append(Cell(variant, make_config(LMConfig, fields | {"seed": seed})))
    return sorted(cells, key=lambda cell: cell.config.seed)


def run(cell: Cell, folder: Path, console: Console) -> dict[str, Any]:
    """Train a run and return its entry in the ledger, with scores on dev and test."""
    done = train_or_resume_lm(cell.config, folder, console)
    best = min(done.history, key=lambda each: each["bits_per_character"])  # the weights that were kept
    return {
        "key": cell.key,
        "variant": cell.variant,
        "seed": cell.config.seed,
        "parameters": done.language_model.model.size,
        "cpu_seconds": done.cpu_seconds,
        "dev": {name: value for name, value in best.items() if isinstance(value, float)},
        "test": done.evaluate("test"),
        "config": cell.config.to_json() | {"data_dir": None},
    }


def table(entries: Sequence[Mapping[str, Any]], split: str) -> str:
    """Format results as a Markdown table: means over the seeds of each variant, some of them with 95% intervals."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        groups.setdefault(entry["variant"], []).append(entry)
    present = {title: each for title, each in COLUMNS.items() if any(each[0] in entry[split] for entry in entries)}
    lines = [
        f"| | seeds | {' | '.join(present)} | parameters | CPU seconds |",
        f"|:--|{'--:|' * (len(present) + 3)}",
    ]
    for variant, group in groups.items():
        cells = [f"`{variant}`", str(len(group))]
        for name, form in present.values():
            values = [entry[split][name] for entry in group if name in entry[split]]
            cells.append(_mean(values, form, name in WITH_INTERVAL))
        cells += [f"{group[0]['parameters']:,}", f"{fmean(entry['cpu_seconds'] for entry in group):,.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(values: Sequence[float], form: str, interval: bool) -> str:
    """Format a mean, and its interval over runs if there are several; a dash without values."""
    if not values:
        return "—"
    mean = format(fmean(values), form)
    if not interval or len(values) == 1:
        return mean
    found = t_interval(values)
    return f"{mean} ({found.low:{form}}–{found.high:{form}})"


def main(
    data_dir: Path,
    grid: Path = GRID,
    ledger: Path = LEDGER,
    out: Path = Path("runs/boundaries"),
    runs: bool = True,
    split: Literal["dev", "test"] = "test",
) -> None:
    """Train what the ledger lacks, and print the table.

    Args:
        data_dir: Folder with the folder `ptb/`.
        grid: File of the grid.
        ledger: File of the results.
        out: Folder of the runs.
        runs: Whether to train; otherwise only the table is printed.
        split: Part of the text in the table.
    """
    console, results = Console(stderr=True), Ledger(ledger)
    cells = load_cells(grid, data_dir)
    for number, cell in enumerate(cells, 1):
        if runs and cell.key not in results.results():
            console.print(f"{number}/{len(cells)} {cell.variant}, seed {cell.config.seed}")
            results.append(run(cell, out / cell.key, console))
    found = results.results()
    print(table([found[cell.key] for cell in cells if cell.key in found], split))


if __name__ == "__main__":
    run_script(main)
