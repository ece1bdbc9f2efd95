"""Text files are read and written as UTF-8, whatever the locale is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("hs_env", "agents", "rewards", "scripts")
MODULES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
BINARY = {f"{module}.open" for module in ("os", "gzip", "tarfile", "webbrowser", "archive")}
MODE, POSITION = "mode", {"open": 1, ".open": 0}


def names_no_encoding(call: ast.Call) -> bool:
    """Whether a call reads or writes text without naming its encoding."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    method = f".{call.func.attr}" if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if method == ".read_text":
        return not call.args and "encoding" not in given
    if method == ".write_text":
        return len(call.args) < 2 and "encoding" not in given
    if method not in POSITION or ast.unparse(call.func) in (
        "os.open",
        "gzip.open",
        "tarfile.open",
        "webbrowser.open",
        "archive.open",
    ):
        return False
    at = POSITION[method]
    mode = given.get(MODE, call.args[at] if len(call.args) > at else ast.Constant("r"))
    return "encoding" not in given and not (isinstance(mode, ast.Constant) and "b" in str(mode.value))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_text_files_name_their_encoding(path: Path) -> None:
    calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
    assert [call.lineno for call in calls if names_no_encoding(call)] == []


def test_the_check_finds_what_it_looks_for() -> None:
    for code in ("path.read_text()", "path.write_text('a')", "open(path)", "path.open('w')", "open(path, mode='a')"):
        assert names_no_encoding(ast.parse(code).body[0].value), code
    for code in ("path.read_text('utf-8')", "open(path, 'xb')", "path.open('rb')", "path.open(encoding='utf-8')"):
        assert not names_no_encoding(ast.parse(code).body[0].value), code
