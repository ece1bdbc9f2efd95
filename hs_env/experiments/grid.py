"""A grid of runs as data: corpora and how often, variants and what sets them apart."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from hs_env.errors import HsEnvError
from hs_env.registry import unknown_name
from hs_env.training.config import LATER, ResolvedConfig, TrainConfig

_IMMATERIAL: Final = ("data_dir", "threads", "checkpoint_seconds")
"""Fields of a configuration that say how it is run and not what is run."""


@dataclass(frozen=True)
class Cell:
    """One run of a grid.

    Attributes:
        corpus: Name of the corpus in the grid.
        variant: Name of the variant.
        number: Seed, and where the corpus has folds, fold as well.
        config: What is trained.
    """

    corpus: str
    variant: str
    number: int
    config: ResolvedConfig

    @property
    def key(self) -> str:
        """What the run is found by in a ledger, and a name for its folder: another configuration is another key."""
        values = {
            name: value
            for name, value in self.config.to_json().items()
            if name not in _IMMATERIAL and (name, value) not in LATER.items()
        }
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]
        return re.sub(r"[^\w.]+", "-", f"{self.corpus}-{self.variant}-{self.number}-{digest}")


def load_grid(path: Path, data_dir: Path | None = None) -> list[Cell]:
    """The cells of a grid: every variant on every corpus with every seed or fold, number by number.

    The file is TOML::

        [settings]              # fields of TrainConfig that all runs share, as model_parameters.hidden_size = 100
        [corpora.NAME]          # folds = 10, or seeds = 5
        [variants.NAME]         # fields of TrainConfig; corpora = [...] names those it runs on, if not on all

    In the texts of settings and variants `{number}` is the seed or fold, so that each fold can have vectors of its own.
    Runs with seed 0 come first, then those with seed 1, so that a grid that is stopped has something of everything.

    Args:
        path: The file.
        data_dir: Folder that holds the data sets which are not built in.

    Raises:
        HsEnvError: If the file is missing or broken, or a variant has no valid configuration.
    """
    grid = _read(path)
    cells = []
    for variant, values in grid["variants"].items():
        own = {name: value for name, value in values.items() if name != "corpora"}
        for corpus in values.get("corpora", grid["corpora"]):
            if corpus not in grid["corpora"]:
                known = ", ".join(grid["corpora"])
                raise HsEnvError(f"{path}: the variant {variant!r} names the corpus {corpus!r}; the grid has {known}.")
            for number in range(_runs(path, corpus, grid["corpora"][corpus])):
                name = f"{corpus}:fold={number}" if "folds" in grid["corpora"][corpus] else corpus
                place = {"corpus": name, "seed": number, "data_dir": None if data_dir is None else str(data_dir)}
                try:
                    cells.append(Cell(corpus, variant, number, _config(number, grid["settings"], own, place)))
                except HsEnvError as error:
                    raise HsEnvError(f"{path}, variant {variant!r}: {error}") from error
    return sorted(cells, key=lambda cell: cell.number)


def _read(path: Path) -> dict[str, Any]:
    try:
        grid = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HsEnvError(f"{path} is not a readable grid: {error}.") from error
    if strange := grid.keys() - {"settings", "corpora", "variants"}:
        raise HsEnvError(f"{path}: the tables are settings, corpora and variants, got {sorted(strange)[0]!r}.")
    if not grid.get("corpora") or not grid.get("variants"):
        raise HsEnvError(f"{path}: a grid has one [corpora.NAME] and one [variants.NAME] at least.")
    return {"settings": {}, **grid}


def _runs(path: Path, corpus: str, values: Mapping[str, Any]) -> int:
    """How many folds or seeds a corpus is run with."""
    match dict(values):
        case {"folds": int(runs)} | {"seeds": int(runs)} if len(values) == 1 and runs > 0:
            return runs
    raise HsEnvError(f"{path}: corpus {corpus!r} needs `folds = N` or `seeds = N` with N from 1, got {dict(values)}.")


def _numbered(value: Any, number: int) -> Any:
    """The value with the run's number in its texts."""
    if isinstance(value, Mapping):
        return {name: _numbered(inner, number) for name, inner in value.items()}
    return value.replace("{number}", str(number)) if isinstance(value, str) else value


def _config(number: int, *layers: Mapping[str, Any]) -> ResolvedConfig:
    """The configuration with these fields, later ones before earlier ones; tables are merged."""
    values: dict[str, Any] = {"threads": 1}
    for name, value in (field for layer in layers for field in layer.items()):
        values[name] = values[name] | value if isinstance(values.get(name), dict) else value
    values = _numbered(values, number)
    values["data_dir"] = None if values["data_dir"] is None else Path(values["data_dir"])
    if strange := values.keys() - {field.name for field in fields(TrainConfig)}:
        raise unknown_name("setting", sorted(strange)[0], [field.name for field in fields(TrainConfig)])
    return TrainConfig(**values).resolve()
