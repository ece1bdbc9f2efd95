"""What the campaigns share: arguments, the time that is left, a line of JSON per finding."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


class Campaign:
    """A campaign of random trials, until its time or its number of trials is used up.

    Args:
        name: Name of the campaign, in the ledger.
        description: Help text of the script.
        kinds: Kinds of trials to choose from; empty if there is one kind.
    """

    def __init__(self, name: str, description: str, kinds: Sequence[str] = ()) -> None:
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--minutes", type=float, default=5.0, help="time for all trials (default: 5)")
        parser.add_argument("--times", type=int, help="number of trials, instead of a time")
        parser.add_argument("--seed", type=int, default=0, help="seed of the first trial (default: 0)")
        parser.add_argument(
            "--ledger", type=Path, default=Path("runs/campaigns.jsonl"), help="file that findings go to"
        )
        if kinds:
            parser.add_argument(
                "--kinds", nargs="+", choices=kinds, default=kinds, help="kinds of trials (default: all)"
            )
        arguments = parser.parse_args()
        self.kinds: Sequence[str] = arguments.kinds if kinds else ()
        self.name, self.ledger, self.first = name, arguments.ledger, arguments.seed
        self.times, self.seconds = arguments.times, 60 * arguments.minutes
        self.findings = self.done = 0

    def trials(self) -> Iterator[int]:
        """Yield the seeds of the trials; print a summary at the end."""
        start = time.monotonic()
        try:
            while self.done < self.times if self.times is not None else time.monotonic() - start < self.seconds:
                self.done += 1
                yield self.first + self.done - 1
        finally:
            print(f"{self.name}: {self.done} trials, {self.findings} findings, {time.monotonic() - start:.0f} s")

    def report(self, **finding: Any) -> None:
        """Append a finding to the ledger and print it."""
        self.findings += 1
        line = json.dumps({"campaign": self.name, **finding}, default=str)
        self.ledger.parent.mkdir(parents=True, exist_ok=True)
        with self.ledger.open("a", encoding="utf-8") as file:
            print(line, file=file)
        print(line)

    @property
    def exit_code(self) -> int:
        """1 if anything was found."""
        return int(self.findings > 0)
