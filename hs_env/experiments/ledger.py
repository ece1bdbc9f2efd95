"""A ledger of results: an append-only file of JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from hs_env.errors import HsEnvError
from hs_env.storage import naming


class Ledger:
    """An append-only file with one JSON entry per line; readers see an entry completely or not at all.

    An entry is a result, or describes a failure if it has the key "error". Several processes may append at once. If a
    killed process leaves an unfinished line, readers skip it, and the next writer removes it. Blank lines, and a last
    line without a line end, as editors leave them, do no harm.

    Args:
        path: Path of the file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: Mapping[str, Any]) -> None:
        """Append an entry. It is on disk when this method returns."""
        line = _line(entry)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path.with_name(f".{self.path.name}.lock"))
        with naming(self.path), lock, self.path.open("a+b") as file:
            file.seek(0)
            content = file.read()
            end = content.rfind(b"\n") + 1
            if _is_entry(content[end:]):
                line = b"\n" + line
            else:
                file.truncate(end)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def entries(self) -> list[dict[str, Any]]:
        """Return all entries, oldest first; none if there is no file.

        Raises:
            HsEnvError: If a line is not an entry; the message has the number of the line.
        """
        if not self.path.exists():
            return []
        *lines, last = self.path.read_bytes().split(b"\n")
        if _is_entry(last):
            lines.append(last)
        entries = []
        for number, line in enumerate(lines, 1):
            try:
                entries += [_entry(line)] if line.strip() else []
            except ValueError as error:
                raise HsEnvError(f"{self.path}, line {number}: {error}. Was the ledger edited?") from error
        return entries

    def results(self) -> dict[str, dict[str, Any]]:
        """Return the newest result of each key."""
        return {entry["key"]: entry for entry in self.entries() if "error" not in entry}


def _entry(line: bytes) -> dict[str, Any]:
    """Return the entry of a line; a ValueError says why there is none."""
    entry = json.loads(line)
    if not isinstance(entry, dict) or not isinstance(entry.get("key"), str):
        raise ValueError("expected a JSON object whose key is a text")
    return entry


def _is_entry(line: bytes) -> bool:
    try:
        _entry(line)
    except ValueError:
        return False
    return True


def _line(entry: Mapping[str, Any]) -> bytes:
    """Return an entry as a line of the file."""
    return json.dumps(entry, ensure_ascii=False, allow_nan=False).encode() + b"\n"
