"""The options `--preset` and `--config`, whose fields are the defaults of all other options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from hs_env.settings import load_settings


@dataclass(frozen=True)
class SettingsOptions:
    """Where the defaults of the other options come from."""

    MAIN: ClassVar[tuple[str, ...]] = ("config",)
    """Fields that the short help shows."""

    preset: str | None = None
    """Named configuration, such as `phrases-small`. Other options override it."""
    config: Path | None = None
    """TOML file with fields of the configuration, such as `batch_size = 32`. Other options override it."""


NO_SETTINGS: Final = SettingsOptions()


def settings_of(arguments: Sequence[str], kind: type[Any], presets: Path) -> dict[str, Any]:
    """Return the fields of the preset and of the file that the arguments of a command line name.

    Args:
        arguments: Arguments, of which only `--preset` and `--config` are read.
        kind: Dataclass of the configuration.
        presets: File of the presets.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset")
    parser.add_argument("--config", type=Path)
    known, _ = parser.parse_known_args(arguments)
    return load_settings(kind, presets, known.preset, known.config)
