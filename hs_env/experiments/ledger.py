"""A ledger of results: a file of JSON lines that is only ever added to."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hs_env.errors import HsEnvError


class Ledger:
    """Entries, one a line, each written whole or not at all as far as a reader can see.

    An entry is a result, or, with the key "error", says what went wrong. Several processes may add to one ledger. A
    line that a kill has left unfinished is not an entry: readers leave it out, and the next writer removes it.

    Args:
        path: The file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add an entry, which is on disk when this returns."""
        line = json.dumps(entry, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def entries(self) -> list[dict[str, Any]]:
        """All entries, oldest first; none if there is no file.

        Raises:
            HsEnvError: If a line is not an entry, with its number.
        """
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().split(b"\n")[:-1]  # behind the last line end there is nothing, or half a line
        entries = []
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
                if not isinstance(entry, dict) or "key" not in entry:
                    raise ValueError("expected a JSON object with a key")
            except ValueError as error:
                raise HsEnvError(f"{self.path}, line {number}: {error}. Was the ledger edited?") from error
            entries.append(entry)
        return entries

    def results(self) -> dict[str, dict[str, Any]]:
        """The newest result of each key."""
        return {entry["key"]: entry for entry in self.entries() if "error" not in entry}
