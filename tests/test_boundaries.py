"""The grid of `docs/boundaries.md`, its ledger and its table."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from hs_env.experiments.ledger import Ledger
from hs_env.models.h_net.routers import RouterName

ROOT = Path(__file__).parents[1]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("boundaries")


def test_the_grid_holds_what_is_compared_with_equal_updates(script: ModuleType) -> None:
    rows = script.load_cells(script.GRID, Path("data"))
    assert len({row.key for row in rows}) == len(rows)
    assert [row.config.seed for row in rows] == sorted(row.config.seed for row in rows)
    shared = {(row.config.updates, row.config.batch_size, row.config.layers, row.config.hidden_size) for row in rows}
    assert len(shared) == 1
    assert {row.config.router for row in rows} == set(get_args(RouterName))


@pytest.mark.parametrize("name", ["boundaries", "segmentation"])
def test_the_ledger_holds_results_of_the_grid_and_the_page_states_them(script: ModuleType, name: str) -> None:
    keys = {row.key: row for row in script.load_cells(script.GRID.with_stem(name), Path("data"))}
    results = Ledger(script.LEDGER.with_stem(name)).results()
    assert results
    assert results.keys() <= keys.keys()
    for key, entry in results.items():
        assert (entry["variant"], entry["seed"]) == (keys[key].variant, keys[key].config.seed)
    page = (ROOT / "docs/boundaries.md").read_text("utf-8")
    for line in script.table([results[key] for key in keys if key in results], "test").splitlines():
        assert line in page


def test_a_table_has_means_and_intervals(script: ModuleType) -> None:
    entry = {"variant": "a", "parameters": 1234, "cpu_seconds": 5.0, "test": {"bits_per_character": 2.0}}
    other = {**entry, "test": {"bits_per_character": 2.2, "boundaries_1": 0.18}}
    lines = script.table([entry, other], "test").splitlines()
    assert lines[0] == "| | seeds | bits | rate | parameters | CPU seconds |"
    assert lines[2].startswith("| `a` | 2 | 2.100 (0.829–3.371) | 18.0% | 1,234 | 5 |")
