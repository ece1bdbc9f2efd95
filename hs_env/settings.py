"""Read fields of configurations from TOML files and presets, and merge them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from hs_env.errors import HsEnvError, shown
from hs_env.registry import unknown_name

P = TypeVar("P")


def read_toml(path: Path, kind: str) -> dict[str, Any]:
    """Return the content of a TOML file; `kind` is what it should be, for messages, such as "grid".

    Raises:
        HsEnvError: If the file is missing or malformed.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise HsEnvError(f"{path} is not a readable {kind}: it is not UTF-8. Convert it to UTF-8.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise HsEnvError(f"{path} is not a readable {kind}: {error}.") from error


def check_tables(path: Path, name: str, value: object, nested: bool = False) -> None:
    """Check that a value of a TOML file is a table; if `nested`, one of tables.

    Raises:
        HsEnvError: If it is not; the message has the path, the name and the value.
    """
    if not isinstance(value, Mapping):
        raise HsEnvError(f"{path}: {name} must be a table, [{name}{'.NAME' * nested}], got {shown(value)}.")
    for inner, table in value.items() if nested else ():
        check_tables(path, f"{name}.{inner}", table)


def merge_settings(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge layers of fields. Later layers override earlier ones; tables such as `model_parameters` are merged."""
    values: dict[str, Any] = {}
    for name, value in (field for layer in layers for field in layer.items()):
        old = values.get(name)
        values[name] = old | value if isinstance(old, dict) and isinstance(value, dict) else value
    return values


def make_config(kind: type[P], values: Mapping[str, Any]) -> P:
    """Make a configuration from values by field name.

    Raises:
        HsEnvError: If a field is unknown (with the nearest spelling), or a value is not valid.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if strange := values.keys() - known:
        raise unknown_name("setting", sorted(strange)[0], known)
    return kind(**values)


def load_settings(
    kind: type[Any], presets: Path, preset: str | None = None, config: Path | None = None
) -> dict[str, Any]:
    """Return the fields of a preset and of a file, which overrides the preset, as far as they are given.

    Args:
        kind: Dataclass of the configuration, which checks each of the two.
        presets: TOML file with a table per preset.
        preset: Name of a preset.
        config: TOML file of fields.

    Raises:
        HsEnvError: If there is no such preset (the message lists them), or a file is missing or not valid.
    """
    layers: list[dict[str, Any]] = []
    if preset is not None:
        known = read_toml(presets, "file of presets")
        if preset not in known:
            raise unknown_name("preset", preset, known)
        layers.append(known[preset])
    if config is not None:
        layers.append(read_toml(config, "configuration"))
    values = merge_settings(*layers)
    try:
        make_config(kind, values)
    except HsEnvError as error:
        place = f"the preset {preset}" if config is None else config
        raise HsEnvError(f"In {place}: {error}") from error
    return values


def to_toml(values: Mapping[str, Any]) -> str:
    """Return fields as TOML: numbers, truth values, texts, and tables of these. None is left out."""
    lines, tables = [], []
    for name, value in values.items():
        if isinstance(value, Mapping):
            tables += [f"{name}.{inner} = {_plain(each)}\n" for inner, each in value.items() if each is not None]
        elif value is not None:
            lines.append(f"{name} = {_plain(value)}\n")
    return "".join(lines + tables)


def _plain(value: Any) -> str:
    """Return a value as TOML, which writes numbers, truth values and texts as JSON does."""
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
