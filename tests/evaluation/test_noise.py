"""Evaluation with typos, and of words against characters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hs_env import cli
from hs_env.corpora import load_corpus
from hs_env.errors import HsEnvError
from hs_env.evaluation import compare_runs
from hs_env.training import Run, TrainConfig, train
from hs_env.types import UNKNOWN

QUIET = Console(quiet=True)
PHRASES = "phrases:train=80,dev=20,test=40"
CONFIG = TrainConfig(
    corpus=PHRASES,
    vectors="random:6",
    model="plain_lstm",
    model_parameters={"hidden_size": 8},
    batch_size=16,
    warm_epochs=1,
    joint_epochs=0,
    threads=1,
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Run]:
    """A plain LSTM on words, on characters, and on words with typos; an HS-LSTM on words."""
    corpora = {"words": "", "characters": ",tokenisation=characters", "noisy": ",noise=0.5"}
    configs = {name: replace(CONFIG, corpus=PHRASES + settings) for name, settings in corpora.items()}
    hs_lstm = {"model": "hs_lstm", "agent": "fixed", "pnet_epochs": 0}
    folder = tmp_path_factory.mktemp("runs")
    return {
        name: train(config, folder / name, QUIET)
        for name, config in (configs | {"hs_lstm": replace(CONFIG, **hs_lstm)}).items()
    }


def test_only_the_evaluated_split_is_noisy(runs: dict[str, Run]) -> None:
    run = runs["words"]
    clean, noisy = run.data("test"), replace(run, noise=0.3).data("test")
    assert noisy.corpus.splits["test"] == load_corpus(f"{PHRASES},noise=0.3").splits["test"]
    assert noisy.corpus.splits["train"] == clean.corpus.splits["train"]
    assert noisy.vocabulary == run.classifier.vocabulary
    assert (noisy.splits["test"].tokens == UNKNOWN).float().mean() > 0.1
    assert noisy.splits["test"].labels.equal(clean.splits["test"].labels)
    for unchanged in (replace(run, noise=0.0), run):
        assert unchanged.data("test").splits["test"].tokens.equal(clean.splits["test"].tokens)


def test_a_run_on_typos_can_be_evaluated_without(runs: dict[str, Run]) -> None:
    found = replace(runs["noisy"], noise=0.0).data("test").corpus.splits["test"]
    assert found == load_corpus(PHRASES).splits["test"]


def test_words_and_characters_are_compared_on_the_same_typos(runs: dict[str, Run]) -> None:
    table = compare_runs([replace(runs[name], noise=0.2) for name in ("words", "characters")])
    assert table.title.endswith("test, noise 0.2: 40 sentences")
    assert compare_runs([runs["words"], runs["characters"]]).title.endswith("test: 40 sentences")
    with pytest.raises(HsEnvError, match="other sentences in test"):
        compare_runs([runs["words"], runs["noisy"]])


def test_files_of_a_noisy_evaluation_have_its_name(runs: dict[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs["hs_lstm"].folder
    cli.main(["evaluate", str(folder)])
    plain = (folder / "evaluation-test.json").read_bytes()
    cli.main(["evaluate", str(folder), "--noise", "0.4", "--oracle", "2"])
    assert (folder / "evaluation-test.json").read_bytes() == plain
    names = {path.name for path in folder.glob("evaluation-*.json")}
    assert names == {f"evaluation-test{end}.json" for end in ("", "-noise0.4", "-noise0.4-oracle2")}
    noisy = json.loads((folder / "evaluation-test-noise0.4.json").read_text())
    clean = json.loads(plain)
    figures = [[row["metrics"]["log_likelihood"] for row in each["rows"]] for each in (clean, noisy)]
    assert all(one != two for one, two in zip(*figures, strict=True))  # the plain LSTM reads typos, too


def test_noise_that_is_not_possible(runs: dict[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["evaluate", str(Path(runs["words"].folder)), "--noise", "2"])
    assert "noise must be a number from 0 to 1, got '2'" in capsys.readouterr().err
