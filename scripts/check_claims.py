"""Run the commands of docs/results/claims.toml again, and fail if a figure is outside its interval."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command import run_script

from hs_env.errors import HsEnvError

ROOT = Path(__file__).parents[1]
CLAIMS = ROOT / "docs" / "results" / "claims.toml"


@dataclass(frozen=True)
class Figure:
    """A stated figure, the pattern that finds it in the output of a command, and the interval that accepts it."""

    name: str
    pattern: str
    stated: float
    low: float
    high: float

    def check(self, output: str) -> tuple[bool, str]:
        """Whether the output has the figure within the interval, and a line that says what was found."""
        match = re.search(self.pattern, output)
        found = "nothing" if match is None else match[1]
        right = match is not None and self.low <= float(match[1]) <= self.high
        return right, f"{'ok  ' if right else 'FAIL'} {self.name}: {found}, expected {self.low} to {self.high}"


@dataclass(frozen=True)
class Claim:
    """Figures that one command makes, and the words of each page that state them."""

    pages: dict[str, str]
    command: str
    figures: tuple[Figure, ...]

    def arguments(self) -> list[str]:
        """The command line: `hs-env` and `python` are those of this process, and scripts those of this checkout."""
        words = shlex.split(self.command)
        words[1:] = [str(ROOT / word) if word.startswith("scripts/") else word for word in words[1:]]
        start = {"hs-env": [sys.executable, "-m", "hs_env"], "python": [sys.executable]}[words[0]]
        return [*start, *words[1:]]


def load_claims(path: Path = CLAIMS) -> list[Claim]:
    """The claims in a file."""
    values: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["claim"]
    return [
        Claim(each["pages"], each["command"], tuple(Figure(name, **values) for name, values in each["figures"].items()))
        for each in values
    ]


def checked(claim: Claim) -> Iterator[tuple[bool, str]]:
    """Run the command of a claim in an empty folder, and check its figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            claim.arguments(), cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
        )
    if done.returncode:
        yield False, f"FAIL status {done.returncode}: {done.stderr[-2000:]}"
        return
    for figure in claim.figures:
        yield figure.check(done.stdout)


def main(file: Path = CLAIMS, page: str = "") -> None:
    """Check all claims.

    Args:
        file: File of the claims.
        page: Check only the claims of pages whose name has this part.
    """
    claims = [claim for claim in load_claims(file) if any(page in name for name in claim.pages)]
    if not claims:
        raise HsEnvError(f"No claim of {file} is on a page whose name has {page!r}.")
    failed = 0
    for claim in claims:
        print(f"{', '.join(claim.pages)}: {claim.command}", flush=True)
        for right, line in checked(claim):
            print(f"  {line}", flush=True)
            failed += not right
    if failed:
        raise SystemExit(f"{failed} figures are outside their intervals.")


if __name__ == "__main__":
    run_script(main)
