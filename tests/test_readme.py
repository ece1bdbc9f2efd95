"""The Python of the README runs as printed, and prints what the README says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from hs_env.cli import main
from hs_env.models import DEFAULT_RUN, Classifier

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", TEXT, re.DOTALL)
CHANCE = 0.5
LEARNED = 0.85
"""Accuracy that the training example must reach; seeds 0 to 4 end between 92 and 98%."""


def run(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What a block prints to standard output."""
    monkeypatch.chdir(folder)
    exec(compile(code, str(README), "exec"), {})
    return capsys.readouterr().out


def accuracies(printed: str) -> dict[str, float]:
    return {name: float(figure) / 100 for name, figure in re.findall(r"^(.+?) (\d+\.\d)%$", printed, re.MULTILINE)}


def test_every_example_shows_its_output():
    assert len(EXAMPLES) == TEXT.count("```python") == 2
    assert all(sum(map(bool, map(str.strip, code.splitlines()))) <= 16 for code, _ in EXAMPLES)


def test_commands_print_what_is_shown(capsys):
    (block,) = re.findall(r"^```console\n\$ hs-env (.+)\n((?s:.*?))```$", TEXT, re.MULTILINE)
    main(shlex.split(block[0]))
    assert capsys.readouterr().out == block[1]


def test_the_accuracy_of_the_shipped_classifier_is_the_noted_one():
    (claimed,) = re.findall(r"classifies (\d+)% of\s+unseen sentences correctly", TEXT)
    assert int(claimed) == round(100 * Classifier.load(DEFAULT_RUN).notes["test"])


def test_the_first_example_is_the_environment(tmp_path, monkeypatch, capsys):
    code, output = EXAMPLES[0]
    assert "gymnasium.make(" in code
    assert run(code, tmp_path, monkeypatch, capsys) == output


def test_the_other_seed_earns_what_the_text_says(tmp_path, monkeypatch, capsys):
    code, _ = EXAMPLES[0]
    printed = run(code.replace("seed(3)", "seed(4)"), tmp_path, monkeypatch, capsys)
    assert printed == "('the', 'movie', 'is', 'not', 'very', 'good') -13.32\n"
    assert "`seed(4)`" in TEXT
    assert "−13.32" in TEXT


def test_the_training_example_learns(tmp_path, monkeypatch, capsys):
    code, output = EXAMPLES[1]
    reached, claimed = accuracies(run(code, tmp_path, monkeypatch, capsys)), accuracies(output)
    assert list(reached) == list(claimed)
    for name, accuracy in reached.items():
        assert accuracy > LEARNED > CHANCE
        assert abs(accuracy - claimed[name]) < 0.06  # another processor rounds otherwise


def test_claims_are_above_the_bound():
    (seeds,) = re.findall(r"Seeds 0 to 4 end at (.+?)% for HS-LSTM", " ".join(TEXT.split()))
    assert min(map(float, re.findall(r"\d+\.\d", seeds))) / 100 > LEARNED + 0.05


def test_it_is_read_in_a_minute():
    assert len(TEXT.splitlines()) <= 135


def test_nothing_is_left_to_fill_in():
    assert not re.search(r"[A-Z]+_HERE|GREEDY", TEXT)
