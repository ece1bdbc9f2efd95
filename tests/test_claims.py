"""The figures of README and docs that a command makes again: stated on their pages, and checked by the script."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("check_claims")


def test_pages_state_what_is_checked(script: ModuleType) -> None:
    claims = script.load_claims()
    assert {page for claim in claims for page in claim.pages} >= {"README.md", "docs/composition.md"}
    for claim in claims:
        for page, words in claim.pages.items():
            assert words in " ".join((ROOT / page).read_text("utf-8").split()), f"{page} does not say: {words}"
        for figure in claim.figures:
            assert figure.low <= figure.stated <= figure.high
            re.compile(figure.pattern)
            if not figure.name.startswith("mean"):
                assert any(f"{figure.stated:.1f}" in words for words in claim.pages.values()), figure
        assert Path(claim.arguments()[0]).exists()


def claims_file(folder: Path, code: str, low: float, high: float) -> Path:
    path = folder / "claims.toml"
    figures = f"{{ pattern = 'accuracy (\\S+)', stated = {low}, low = {low}, high = {high} }}"
    path.write_text(
        f'[[claim]]\npages."README.md" = "a"\ncommand = {json.dumps(f"python -c {code!r}")}\n'
        f'figures."accuracy" = {figures}\n'
    )
    return path


def test_a_figure_within_its_interval_passes(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.main(claims_file(tmp_path, 'print(1); print("accuracy 70.0 (66 to 74)")', 69.9, 70.0))
    assert "ok   accuracy: 70.0, expected 69.9 to 70.0" in capsys.readouterr().out
    script.main(claims_file(tmp_path, "raise SystemExit(1)", 0, 1), page="docs")  # another page: not run


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ('print("accuracy 70.1")', "FAIL accuracy: 70.1, expected 69.9 to 70.0"),
        ('print("accuracy")', "FAIL accuracy: nothing"),
        ('raise SystemExit("broken")', "FAIL status 1: broken"),
    ],
)
def test_anything_else_fails(
    code: str, message: str, script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1 figures are outside"):
        script.main(claims_file(tmp_path, code, 69.9, 70.0))
    assert message in capsys.readouterr().out
