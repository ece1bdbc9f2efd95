"""A ledger that survives whatever is done to its writers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hs_env.errors import HsEnvError
from hs_env.experiments.ledger import Ledger
from tests.processes import CONTEXT


def test_the_newest_result_of_a_key_counts_and_errors_are_none(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "new" / "ledger.jsonl")
    assert ledger.entries() == []
    entries = [{"key": "a", "x": 1}, {"key": "b", "error": "ü"}, {"key": "a", "x": 2}, {"key": "a", "error": "later"}]
    for entry in entries:
        ledger.append(entry)
    assert ledger.entries() == entries
    assert ledger.results() == {"a": {"key": "a", "x": 2}}


def test_half_a_line_is_no_entry_and_goes_with_the_next(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append({"key": "a"})
    whole = ledger.path.read_bytes()
    line = json.dumps({"key": "b", "x": "y" * 50}).encode() + b"\n"
    for cut in range(len(line) - 1):
        ledger.path.write_bytes(whole + line[:cut])
        assert ledger.entries() == [{"key": "a"}]
    ledger.append({"key": "c"})
    assert ledger.entries() == [{"key": "a"}, {"key": "c"}]
    ledger.path.write_bytes(line[:7])
    ledger.append({"key": "c"})
    assert ledger.entries() == [{"key": "c"}]


def test_an_editor_may_leave_blank_lines_and_no_line_end(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.path.write_bytes(b'{"key": "a"}\n\n{"key": "b"}')
    assert ledger.entries() == [{"key": "a"}, {"key": "b"}]
    ledger.append({"key": "c"})
    assert ledger.entries() == [{"key": "a"}, {"key": "b"}, {"key": "c"}]


@pytest.mark.parametrize("line", ["[1]", "{}", '{"key": ["a"]}'])
def test_a_line_that_is_no_entry_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_text(f'{{"key": "a"}}\n{line}\n')
    with pytest.raises(HsEnvError, match="line 2: expected a JSON object whose key is a text"):
        Ledger(tmp_path / "ledger.jsonl").entries()


def test_a_number_that_json_has_not_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    with pytest.raises(ValueError, match="JSON"):
        ledger.append({"key": "a", "loss": float("nan")})
    assert not ledger.path.exists()


def _write(path: Path, writer: int) -> None:
    for number in range(50):
        Ledger(path).append({"key": f"{writer}-{number}", "text": "x" * 5000})


def test_several_processes_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    writers = [CONTEXT.Process(target=_write, args=(path, number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(Ledger(path).results()) == sorted(f"{w}-{n}" for w in range(3) for n in range(50))
