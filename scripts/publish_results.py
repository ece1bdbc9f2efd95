"""Add the results of a finished sweep to docs/results, and make the tables and figures of the comparison again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import tyro
from command import run_script
from marks import write_marked

from hs_env.experiments.grid import load_grid
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.plots import save_figures
from hs_env.experiments.power import power_of
from hs_env.experiments.power import to_markdown as power_table
from hs_env.experiments.reproduction import GRID, PUBLISHED
from hs_env.experiments.summary import load_published, summarise, to_csv, to_markdown
from hs_env.storage import write_atomically

DOCS: Final = Path(__file__).parents[1] / "docs"
LEDGER: Final = DOCS / "results" / "ledger.jsonl"

Results = Mapping[str, Mapping[str, Any]]


def main(*outs: Annotated[Path, tyro.conf.Positional], data_dir: Path = Path("data")) -> None:
    """Add what the ledger of the comparison lacks; without sweeps, only make tables and figures again.

    Args:
        outs: Folders of sweeps (`--out` of `hs-env reproduce`).
        data_dir: Data folder of the sweeps. Its path is left out of the results.
    """
    ledger = Ledger(LEDGER)
    for out in outs:
        added = [each for key, each in Ledger(out / "ledger.jsonl").results().items() if key not in ledger.results()]
        for result in added:
            ledger.append(without_paths(result, out, data_dir))
        print(f"{len(added)} results of {out}")
    results, cells = ledger.results(), load_grid(GRID)
    write_atomically(
        DOCS / "results" / "table.csv", to_csv(summarise(cells, results, load_published(PUBLISHED))).encode()
    )
    save_figures(cells, results, DOCS / "results" / "figures")
    for page, tables in tables_of(results).items():
        for name, table in tables.items():
            write_marked(DOCS / page, name, table)


def tables_of(results: Results) -> dict[str, dict[str, str]]:
    """Return the tables of the comparison in Markdown, by page and name."""
    cells = load_grid(GRID)
    comparison = to_markdown(summarise(cells, results, load_published(PUBLISHED)))
    comparison = re.sub("^## ", "### ", comparison, flags=re.MULTILINE)
    return {
        "results.md": {"comparison": comparison},
        "structure.md": {"gains": gains_in(comparison), "power": power_table(power_of(cells, results, ()))},
    }


def gains_in(comparison: str) -> str:
    """Return a table of the differences between HS-LSTM and the plain LSTM, from that of all variants."""
    rows = ["| | points of accuracy (95% interval) |", "|:--|--:|"]
    for part in comparison.split("### ")[1:]:
        corpus, own = part.partition("\n")[0], re.search(r"^\| hs_lstm \|.*$", part, re.MULTILINE)
        cells = own[0].split(" | ") if own else []
        rows += [f"| {corpus} | {cells[6]} |"] if len(cells) > 6 else []
    return "\n".join(rows) + "\n"


def without_paths(result: Mapping[str, Any], out: Path, data_dir: Path) -> dict[str, Any]:
    """Return a result without the paths of the machine."""
    folders = {f"{data_dir.absolute()}/": "", f"{out.absolute()}/": "runs/"}
    text = json.dumps(result, ensure_ascii=False)
    for folder, name in folders.items():
        text = text.replace(folder, name)
    cleaned: dict[str, Any] = json.loads(text)
    cleaned["config"]["data_dir"] = None
    for process in cleaned["record"]:
        process["command"] = ["hs_env/experiments/worker.py", *process["command"][1:]]
    return cleaned


if __name__ == "__main__":
    run_script(main)
