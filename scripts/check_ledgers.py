"""Train one run of each ledger again, and fail if its test accuracy differs from that of the ledger by too much."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import tyro
from command import run_script

from hs_env.errors import HsEnvError
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.runner import launch_here
from hs_env.training.config import ResolvedConfig

RESULTS = Path(__file__).parents[1] / "docs" / "results"
GENERATED = tuple(RESULTS / f"{name}.jsonl" for name in ("composition", "phrase_modules"))
"""Ledgers whose corpora are generated and whose word vectors are random: their runs need no files."""

_ERRORS = 3.0
"""Standard errors by which an accuracy may be outside of those in the ledger."""


def accepted(results: Mapping[str, Mapping[str, Any]], key: str) -> tuple[float, float]:
    """Return the lowest and highest accepted test accuracy of a run.

    Another processor rounds differently, and the run then differs as one with another seed does. So the accuracies of
    all seeds are accepted, and three standard errors of an accuracy over the test sentences more on both sides.
    """
    place = ("corpus", "variant")
    alike = [each for each in results.values() if all(each[name] == results[key][name] for name in place)]
    found = [(each["test"]["accuracy"], each["test"]["sentences"]) for each in alike]
    room = _ERRORS * max(math.sqrt(accuracy * (1 - accuracy) / size) for accuracy, size in found)
    return min(accuracy for accuracy, _ in found) - room, max(accuracy for accuracy, _ in found) + room


def check(path: Path, number: int, longest: float, data_dir: Path | None) -> bool:
    """Train a run of a ledger again, print its accuracy, and return whether it is accepted."""
    results = Ledger(path).results()
    short = sorted(key for key, each in results.items() if each["cpu_seconds"] <= longest)
    if not short:
        raise HsEnvError(f"{path} has no result of a run that took at most {longest:g} processor seconds.")
    key = short[number % len(short)]
    config = replace(ResolvedConfig.from_json(results[key]["config"]), data_dir=data_dir).located()
    with tempfile.TemporaryDirectory() as folder:
        ended = launch_here(config, Path(folder) / key, Event())
    if ended.result is None:
        print(f"FAIL {path.name} {key}: {ended.fault}", flush=True)
        return False
    low, high = accepted(results, key)
    accuracy: float = ended.result["test"]["accuracy"]
    verdict = "ok  " if low <= accuracy <= high else "FAIL"
    told = f"{accuracy:.1%}, ledger {results[key]['test']['accuracy']:.1%}, expected {low:.1%} to {high:.1%}"
    print(f"{verdict} {path.name} {key}: {told}", flush=True)
    return low <= accuracy <= high


def main(
    files: tyro.conf.Positional[tuple[Path, ...]] = (),
    number: int | None = None,
    longest: float = 1800.0,
    data_dir: Path | None = None,
) -> None:
    """Train one run of each ledger again, and compare its test accuracy.

    Args:
        files: Ledgers; by default those whose runs need no files.
        number: Which of the runs, in the order of their keys; by default the number of the week since 1970, so that a
            weekly job checks all in turn.
        longest: Longest runs that may be chosen, in processor seconds of the ledger.
        data_dir: Folder of the data sets and word vectors.
    """
    week = int(datetime.now(UTC).timestamp()) // (7 * 24 * 3600) if number is None else number
    failed = [path for path in files or GENERATED if not check(path, week, longest, data_dir)]
    if failed:
        raise SystemExit(f"{len(failed)} of the runs differ from their ledgers.")


if __name__ == "__main__":
    run_script(main)
