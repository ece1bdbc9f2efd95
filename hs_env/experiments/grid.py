"""Read a grid of runs from a TOML file: corpora with seeds or folds, and variants of the configuration."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hs_env.corpora.spec import add_settings
from hs_env.errors import HsEnvError, shown
from hs_env.settings import check_tables, make_config, merge_settings, read_toml
from hs_env.storage import StrPath
from hs_env.training.config import ResolvedConfig, TrainConfig
from hs_env.training.run_kind import IMMATERIAL
from hs_env.training.upgrade import LATER, LATER_AGENT, LATER_MODEL

_OWN: Final = ("corpus", "seed", "data_dir")
"""Fields of a configuration that the grid sets for each cell."""


@dataclass(frozen=True)
class Cell:
    """One run of a grid.

    Attributes:
        corpus: Name of the corpus in the grid.
        variant: Name of the variant.
        number: Seed, and also the fold if the corpus has folds.
        config: Configuration of the run.
    """

    corpus: str
    variant: str
    number: int
    config: ResolvedConfig

    @property
    def place(self) -> dict[str, Any]:
        """Corpus, variant and number by name."""
        return {"corpus": self.corpus, "variant": self.variant, "number": self.number}

    @property
    def key(self) -> str:
        """Key of the run in a ledger, and name of its folder. Different configurations have different keys."""
        values = _without(self.config.to_json(), LATER)
        values["agent_parameters"] = _without(values["agent_parameters"], LATER_AGENT)
        values["model_parameters"] = _without(values["model_parameters"], LATER_MODEL)
        values = {name: value for name, value in values.items() if name not in IMMATERIAL}
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]
        return re.sub(r"[^\w.]+", "-", f"{self.corpus}-{self.variant}-{self.number}-{digest}")


def _without(values: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the fields that were added later and have the value of the old behaviour."""
    return {name: value for name, value in values.items() if name not in later or value != later[name]}


def load_grid(path: StrPath, data_dir: StrPath | None = None) -> list[Cell]:
    """Load the cells of a grid: every variant on every corpus with every seed or fold.

    The file is TOML::

        [settings]              # fields of TrainConfig for all runs, such as model_parameters.hidden_size = 100
        [corpora.NAME]          # folds = 10, or seeds = 5
        [variants.NAME]         # fields of TrainConfig; corpora = [...] restricts the variant to some corpora

    The grid itself sets the fields `corpus`, `seed` and `data_dir`.

    In texts of settings and variants and in names of corpora, `{number}` is replaced by the seed or fold, for example
    to give each fold its own word vectors. Cells are sorted by number, so a grid that is stopped early has results of
    every variant and corpus.

    Raises:
        HsEnvError: If the file is missing or malformed, or the configuration of a variant is invalid.
    """
    path, data_dir = Path(path), None if data_dir is None else Path(data_dir)
    grid = _read(path)
    cells = []
    for variant, values in grid["variants"].items():
        own = {name: value for name, value in values.items() if name != "corpora"}
        for corpus in dict.fromkeys(values.get("corpora", grid["corpora"])):
            if corpus not in grid["corpora"]:
                known = ", ".join(grid["corpora"])
                raise HsEnvError(f"{path}: the variant {variant!r} names the corpus {corpus!r}; the grid has {known}.")
            for number in range(_runs(path, corpus, grid["corpora"][corpus])):
                folds = "folds" in grid["corpora"][corpus]
                name = add_settings(corpus, {"fold": str(number)}) if folds else corpus
                place = {"corpus": name, "seed": number, "data_dir": data_dir}
                try:
                    cells.append(Cell(corpus, variant, number, _config(number, grid["settings"], own, place)))
                except HsEnvError as error:
                    raise HsEnvError(f"{path}, variant {variant!r}: {error}") from error
    return sorted(cells, key=lambda cell: cell.number)


def _read(path: Path) -> dict[str, Any]:
    grid = read_toml(path, "grid")
    if strange := grid.keys() - {"settings", "corpora", "variants"}:
        raise HsEnvError(f"{path}: the tables are settings, corpora and variants, got {sorted(strange)[0]!r}.")
    if not grid.get("corpora") or not grid.get("variants"):
        raise HsEnvError(f"{path}: a grid needs at least one [corpora.NAME] and one [variants.NAME].")
    for kind in ("settings", "corpora", "variants"):
        check_tables(path, kind, grid.get(kind, {}), nested=kind != "settings")
    for name, layer in {"settings": grid.get("settings", {}), **grid["variants"]}.items():
        if own := [field for field in _OWN if field in layer]:
            raise HsEnvError(f"{path}, {name!r}: remove {own[0]!r}; [corpora.NAME] chooses corpora and seeds.")
    for name, variant in grid["variants"].items():
        chosen = variant.get("corpora", [])
        named = isinstance(chosen, list) and all(isinstance(corpus, str) for corpus in chosen)
        if not named or ("corpora" in variant and not chosen):
            raise HsEnvError(f"{path}, variant {name!r}: corpora must be a list of names, got {shown(chosen)}.")
    return {"settings": {}, **grid}


def _runs(path: Path, corpus: str, values: Mapping[str, Any]) -> int:
    match dict(values):
        case {"folds": int(runs)} | {"seeds": int(runs)} if len(values) == 1 and type(runs) is int and runs > 0:
            return runs
    raise HsEnvError(f"{path}: corpus {corpus!r} needs `folds = N` or `seeds = N` with N from 1, got {dict(values)}.")


def _numbered(value: Any, number: int) -> Any:
    """Replace `{number}` in all texts of a value."""
    if isinstance(value, Mapping):
        return {name: _numbered(inner, number) for name, inner in value.items()}
    return value.replace("{number}", str(number)) if isinstance(value, str) else value


def _config(number: int, *layers: Mapping[str, Any]) -> ResolvedConfig:
    """Build the configuration from layers of fields."""
    return make_config(TrainConfig, _numbered(merge_settings({"threads": 1}, *layers), number)).resolve()
