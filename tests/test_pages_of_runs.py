"""The tables of pages whose scripts print them are those of the ledgers."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from hs_env.errors import HsEnvError
from hs_env.experiments.grid import load_grid
from hs_env.experiments.ledger import Ledger

ROOT = Path(__file__).parents[1]
PAGES, RESULTS, SCRIPTS = ROOT / "docs", ROOT / "docs" / "results", ROOT / "scripts"


@pytest.mark.parametrize("name", ["boundaries", "boundaries_long", "segmentation"])
def test_boundaries_of_language_models(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    script, found = importlib.import_module("boundaries"), Ledger(RESULTS / f"{name}.jsonl").results()
    keys = [row.key for row in script.load_cells(SCRIPTS / f"{name}.toml", ROOT)]
    assert set(found) <= set(keys)
    lines = script.table([found[key] for key in keys if key in found], "test").splitlines()
    assert len(lines) > 4
    assert set(lines) <= set((PAGES / "boundaries.md").read_text(encoding="utf-8").splitlines())


def test_characters_and_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    script, before = importlib.import_module("characters"), (RESULTS / "characters.jsonl").read_bytes()
    found = Ledger(script.RESULTS).results()
    assert set(found) <= {cell.key for cell in load_grid(script.GRID)}
    with pytest.raises(HsEnvError, match=r"no finished run of characters\.toml"):
        script.main(tmp_path)
    assert script.RESULTS.read_bytes() == before
    lines = script.table(found.values()).splitlines()
    assert len(lines) > 4
    assert set(lines) <= set((PAGES / "corpora.md").read_text(encoding="utf-8").splitlines())
