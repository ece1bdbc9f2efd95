"""The tables of docs/skimming.md are those that its script makes of the ledger and of the measured times."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


def test_the_tables_are_made_from_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    script, marked = importlib.import_module("skimming"), importlib.import_module("marks").marked
    page, made = script.PAGE.read_text(encoding="utf-8"), script.points(script.LEDGER)
    assert len(made) == 17
    assert marked(page, "accuracies", script.accuracy_table(made)) == page
    times = json.loads(script.TIMES.read_text(encoding="utf-8"))
    assert marked(page, "times", script.time_table(times)) == page
    assert page.count("<!-- end of") == 2
    assert script.PICTURE.is_file()
