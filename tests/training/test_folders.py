"""The folder of a run belongs to one process."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from hs_env.errors import HsEnvError
from hs_env.training import Run, TrainConfig, train, train_or_resume
from hs_env.training.folders import CONFIG, LOCK, alone, new_folder


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = [new_folder(None, "phrases:train=10") for _ in range(20)]
    assert len(set(made)) == 20
    assert all(folder.is_dir() and not any(folder.iterdir()) for folder in made)


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / ".history.json.0.tmp").touch()  # left by a process that was killed
    assert new_folder(tmp_path, "phrases") == tmp_path
    (tmp_path / "mine.txt").touch()
    with pytest.raises(HsEnvError, match=r"is not empty. Resume its run \(--resume"):
        new_folder(tmp_path, "phrases")


@pytest.mark.parametrize("start", [train, train_or_resume])
def test_files_of_the_user_are_never_taken_for_those_of_a_stopped_process(tmp_path, start):
    own = {name: f"my {name}" for name in ("data.json", "record.json")}
    for name, text in own.items():
        (tmp_path / name).write_text(text)
    for corpus in ("nope", "phrases:train=10,dev=5,test=5"):
        config = TrainConfig(corpus=corpus, vectors="random:4")
        with pytest.raises(HsEnvError, match="is not empty"):
            start(config if start is train else config.resolve(), tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == own


def test_a_folder_that_was_there_stays(tmp_path):
    with pytest.raises(HsEnvError, match="nope"):
        train(TrainConfig(corpus="nope"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_process_trains_in_a_folder(tmp_path):
    (tmp_path / CONFIG).touch()
    (tmp_path / ".classifier.safetensors.0.tmp").touch()
    with alone(tmp_path):
        assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK, CONFIG]
        with pytest.raises(HsEnvError, match="Another process trains in"), alone(tmp_path):
            raise AssertionError("two processes train in one folder")
    with alone(tmp_path):
        pass


def test_a_run_that_never_began_leaves_no_folder(tmp_path):
    folder: Path = new_folder(tmp_path / "run", "phrases")
    with pytest.raises(HsEnvError, match="no such corpus"), alone(folder):
        raise HsEnvError("no such corpus")
    assert not folder.exists()


def test_a_folder_with_the_name_of_a_shipped_run_is_that_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = TrainConfig(
        corpus="phrases:train=20,dev=5,test=5",
        vectors="random:4",
        model_parameters={"hidden_size": 4},
        warm_epochs=1,
        joint_epochs=0,
        threads=1,
    )
    for run in (train(config, "phrases", Console(quiet=True)), Run.load("./phrases"), Run.load("phrases")):
        assert run.classifier.model.hidden_size == 4
        assert run.agent.pnet.first.in_features == 4 * 4
