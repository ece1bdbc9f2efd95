"""The tables of pages whose scripts print them are those of the ledgers."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from hs_env.experiments.ledger import Ledger

ROOT = Path(__file__).parents[1]
PAGES, RESULTS, SCRIPTS = ROOT / "docs", ROOT / "docs" / "results", ROOT / "scripts"


@pytest.mark.parametrize("name", ["boundaries", "segmentation"])
def test_boundaries_of_language_models(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    script, found = importlib.import_module("boundaries"), Ledger(RESULTS / f"{name}.jsonl").results()
    keys = [row.key for row in script.load_rows(SCRIPTS / f"{name}.toml", ROOT)]
    assert set(found) <= set(keys)
    lines = script.table([found[key] for key in keys if key in found], "test").splitlines()
    assert len(lines) > 8
    assert set(lines) <= set((PAGES / "boundaries.md").read_text(encoding="utf-8").splitlines())


def test_characters_and_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    script = importlib.import_module("characters")
    entries = [json.loads(line) for line in script.RESULTS.read_text(encoding="utf-8").splitlines()]
    lines = script.table(entries).splitlines()
    assert len(lines) > 4
    assert set(lines) <= set((PAGES / "corpora.md").read_text(encoding="utf-8").splitlines())
