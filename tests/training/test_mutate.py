"""Campaigns of `scripts/campaigns/` in their short forms: damaged files, damaged inputs, and a full disk."""

from __future__ import annotations

import runpy
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts" / "campaigns"


@pytest.fixture
def script(monkeypatch):
    """A function that loads a script by name."""
    monkeypatch.syspath_prepend(SCRIPTS)
    return lambda name: runpy.run_path(str(SCRIPTS / f"{name}.py"))


@pytest.mark.slow
def test_damaged_files_load_or_are_refused(script, tmp_path):
    assert list(script("mutate")["campaign"](range(25), tmp_path)) == []


@pytest.mark.parametrize("kind", ["corpora", "vectors", "configurations"])
def test_damaged_inputs_load_or_are_refused(kind, script, tmp_path):
    module: dict[str, Any] = script("mutate_inputs")
    inputs = module["KINDS"][kind]()
    for seed in range(40):
        what, found = module["trial"](inputs, tmp_path / str(seed), Random(seed))
        assert found is None, f"{seed}, {what}"


@pytest.mark.slow
def test_a_full_disk_is_one_error_and_the_command_can_be_repeated(script, tmp_path):
    def middle(trials):
        kinds = Counter(kind for kind, _ in trials)
        return [sorted(each for each in trials if each[0] == kind)[kinds[kind] // 2] for kind in kinds]

    assert list(script("full")["campaign"](tmp_path, ["lm", "table"], middle)) == []
