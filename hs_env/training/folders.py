"""The folder of a run: a new one is empty, and keeps what was asked for and what it ran on."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from hs_env.errors import HsEnvError
from hs_env.storage import write_json
from hs_env.training.record import describe

CONFIG, RECORD = "config.json", "record.json"


def new_folder(folder: Path | None, name: str) -> Path:
    """`folder`, or `runs/<name>-<date>-<time>`.

    Raises:
        HsEnvError: If it is not empty.
    """
    folder = folder or Path("runs") / f"{Path(name.replace(':', '-')).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    if folder.exists() and any(path.suffix != ".tmp" for path in folder.iterdir()):
        raise HsEnvError(f"{folder} is not empty. Go on with it (--resume {folder}) or choose another folder (--out).")
    return folder


def begin_record(folder: Path, config: dict[str, Any]) -> None:
    """Write down the resolved configuration, versions, machine and git state."""
    write_json(folder / RECORD, [describe()])
    write_json(folder / CONFIG, config)


def continue_record(folder: Path) -> None:
    """Add what a resumed run goes on with."""
    write_json(folder / RECORD, [*read_json(folder / RECORD), describe()])


def saved_config(folder: Path, command: str) -> dict[str, Any]:
    """The configuration of the run in `folder`, which `command` starts.

    Raises:
        HsEnvError: If there is none.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise HsEnvError(f"{folder} is not the folder of a run: it has no {CONFIG}. Start one with: {command}")
    config = read_json(path)
    if not isinstance(config, dict):
        raise HsEnvError(f"{path} holds no configuration of a run.")
    return config


def read_json(path: Path) -> Any:
    """The JSON value in a file.

    Raises:
        HsEnvError: If it is damaged.
    """
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise HsEnvError(f"{path} is not readable JSON: {error}. Was it copied whole?") from error
