"""The figures of README and docs that a command makes again: stated on their pages, and checked by the script."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from hs_env.errors import HsEnvError
from hs_env.experiments.ledger import Ledger
from hs_env.training import TrainConfig

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
    with pytest.raises(HsEnvError, match=r"No claim of .* is on a page whose name has 'docs'"):
        script.main(claims_file(tmp_path, "raise SystemExit(1)", 0, 1), page="docs")


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


def ledger_with(folder: Path, accuracies: list[float], config: TrainConfig) -> Path:
    """A ledger with a run of `config` per accuracy, which stands for that of the test split."""
    path = folder / "ledger.jsonl"
    for seed, accuracy in enumerate(accuracies):
        entry = {
            "key": f"phrases-plain_lstm-{seed}",
            "corpus": "phrases",
            "variant": "plain_lstm",
            "cpu_seconds": 1.0,
            "config": config.resolve().to_json(),
            "test": {"accuracy": accuracy, "sentences": 100},
        }
        Ledger(path).append(entry)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("accuracies", "verdict"), [([0.5, 0.6], "ok  "), ([0.99, 0.98], "FAIL")])
def test_a_run_of_a_ledger_is_trained_again(
    accuracies: list[float],
    verdict: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    script = importlib.import_module("check_ledgers")
    config = TrainConfig(
        corpus="phrases:train=8,dev=4,test=100", vectors="random:4", model="plain_lstm", warm_epochs=1, joint_epochs=0
    )
    path = ledger_with(tmp_path, accuracies, config)
    assert script.check(path, 3, 10.0, None) == (verdict == "ok  ")
    assert capsys.readouterr().out.startswith(f"{verdict} ledger.jsonl phrases-plain_lstm-1: ")


def test_a_run_may_differ_as_other_seeds_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    script = importlib.import_module("check_ledgers")
    path = ledger_with(tmp_path, [0.8, 0.9], TrainConfig())
    accepted = script.accepted(Ledger(path).results(), "phrases-plain_lstm-0")
    assert accepted == pytest.approx((0.8 - 3 * 0.04, 0.9 + 3 * 0.04))
