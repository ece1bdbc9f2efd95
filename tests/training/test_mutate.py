"""`scripts/campaigns/mutate.py` in its short form."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "campaigns" / "mutate.py"))


def test_damaged_files_load_or_are_refused(tmp_path):
    assert SCRIPT["campaign"](40, 0, tmp_path) == []
