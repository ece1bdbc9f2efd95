"""Runs of language models that can be trusted, see `tests/training/test_trust.py`."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hs_env import cli
from hs_env.errors import HsEnvError
from hs_env.language import LanguageModel, LMRun, load_text, train_lm
from hs_env.storage import load_state, save_state
from hs_env.training import Run, TrainConfig, train
from tests.language.builders import CONFIG, QUIET


@pytest.fixture
def copy(finished: LMRun, text_file: Path, tmp_path: Path) -> Path:
    """A copy of the run and of its text, which has a relative name in the configuration of the copy."""
    shutil.copytree(finished.folder, tmp_path / "run")
    shutil.copy(text_file, tmp_path / "fox.txt")
    config = tmp_path / "run" / "config.json"
    config.write_text(config.read_text().replace(str(text_file), str(tmp_path / "fox.txt")))
    return tmp_path / "run"


def test_a_run_is_not_evaluated_on_a_changed_text(copy: Path) -> None:
    scores = LMRun.load(str(copy)).evaluate("test")
    text = copy.parent / "fox.txt"
    whole = text.read_text()
    text.write_text(whole[:-1] + "z")  # in the test part
    with pytest.raises(HsEnvError, match=r"has changed since the run in .* part 'test'\. Restore it as it was"):
        LMRun.load(copy).evaluate("dev")
    (copy / "data.json").unlink()  # as in runs of earlier versions
    LMRun.load(copy).evaluate("dev")
    text.write_text(whole)
    assert LMRun.load(copy).evaluate("test") == scores


def test_a_run_is_evaluated_from_any_folder(text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(text_file.parent)
    run = train_lm(replace(CONFIG, text=text_file.name, updates=np.int64(4)), str(tmp_path / "run"), QUIET)
    monkeypatch.chdir("/")
    assert LMRun.load(run.folder).config.text == str(text_file)
    LMRun.load(run.folder).evaluate("test")
    assert load_text(text_file, data_dir=".").train.startswith("the quick")
    again = train_lm(run.config, tmp_path / "again", QUIET)
    name = "language_model.safetensors"
    assert (run.folder / name).read_bytes() == (again.folder / name).read_bytes()


def test_an_unknown_split_is_named_with_the_known_ones(finished: LMRun) -> None:
    with pytest.raises(HsEnvError, match=r"Unknown split 'valid'.*dev, test, train"):
        finished.evaluate("valid")


def test_runs_of_the_other_kind_are_named(finished: LMRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lm, page = str(finished.folder), str(tmp_path / "page.html")
    commands = [
        ["evaluate", lm],
        ["segment", "--run", lm, "a"],
        ["report", lm, "--out", page],
        ["neighbours", "--run", lm, "a"],
    ]
    for command in commands:
        with pytest.raises(SystemExit):
            cli.main(command)
        assert "is one of a language model: use `hs-env lm evaluate`" in " ".join(capsys.readouterr().err.split())
    sizes = {"warm_epochs": 0, "pnet_epochs": 0, "joint_epochs": 0, "model_parameters": {"hidden_size": 4}}
    config = TrainConfig(corpus="phrases:train=20,dev=6,test=6", vectors="random:4", threads=1, **sizes)  # type: ignore[arg-type]
    run = train(config, tmp_path / "run", QUIET)
    assert isinstance(run, Run)
    for command in (["lm", "evaluate", str(run.folder)], ["lm", "sample", str(run.folder)]):
        with pytest.raises(SystemExit):
            cli.main(command)
        assert "is one of a classifier: use `hs-env evaluate`" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden_size", 6000),
        ("hidden_size", 10**400),
        ("layers", 10**9),
        ("layers", "x"),
        ("core", [1]),
        ("dropout", 7),
    ],
)
def test_shapes_are_compared_before_a_model_is_built(field: str, value: object, copy: Path) -> None:
    path = copy / "language_model.safetensors"
    state = load_state(path, "language model")
    save_state(path, "language model", state | {"config": state["config"] | {field: value}})
    with pytest.raises(HsEnvError, match="do not fit its configuration"):
        LanguageModel.load(copy)


def test_a_damaged_history_is_named(copy: Path) -> None:
    (copy / "history.json").write_text(json.dumps({"epochs": 3}))
    with pytest.raises(HsEnvError, match=r"history.json holds no list of evaluations"):
        LMRun.load(copy)
