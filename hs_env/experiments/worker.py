"""Run one cell: `python -m hs_env.experiments.worker LEDGER FOLDER`, with the cell as JSON on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hs_env.errors import HsEnvError
from hs_env.experiments.grid import Cell
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.runner import run_cell
from hs_env.training.config import ResolvedConfig


def main() -> None:
    """Run the cell. An error is one line on standard error."""
    ledger, folder = map(Path, sys.argv[1:])
    given = json.load(sys.stdin)
    config = ResolvedConfig.from_json(given["config"])
    try:
        run_cell(Cell(given["corpus"], given["variant"], given["number"], config), Ledger(ledger), folder)
    except (HsEnvError, OSError) as error:
        raise SystemExit(" ".join(str(error).split())) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
