"""The README's Python is run as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def test_there_is_code():
    assert len(BLOCKS) == 3
    assert all(sum(map(bool, map(str.strip, block.splitlines()))) <= 12 for block in BLOCKS)


@pytest.mark.parametrize("block", BLOCKS, ids=["train", "environment", "vector environment"])
def test_code_runs(block, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, str(README), "exec"), {})
    printed = capsys.readouterr().out
    assert "plain LSTM" in printed or "→" in printed


def test_nothing_is_left_to_fill_in():
    assert not re.search(r"[A-Z]+_HERE|GREEDY", README.read_text())
