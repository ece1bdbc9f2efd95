"""How often a run writes checkpoints, and which ones it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from hs_env.errors import HsEnvError
from hs_env.storage import load_state, save_state
from hs_env.training import Run, TrainConfig, resume, stages, train, train_or_resume
from hs_env.training.classifier_optimizer import ClassifierOptimizer
from tests.training.stopped import stop_at_update, train_almost_to_the_end


@pytest.mark.parametrize(
    ("seconds", "writing", "expected"),
    [
        (60.0, 0.5, [61, 122, 183]),  # at most a twentieth of the time
        (60.0, 5.0, [61, 162]),  # the first takes 5 seconds, so the next waits for 100
        (0.0, 5.0, [*range(1, 200)]),
    ],
)
def test_checkpoints_take_a_small_share_of_the_time(
    seconds: float, writing: float, expected: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update takes a second of a clock that is set by hand."""
    now, saved = 0.0, []

    def save(path: Path, kind: str, state: dict[str, object]) -> None:
        nonlocal now
        now += writing
        saved.append(state["progress"]["updates"])  # type: ignore[index]

    def update(self: stages.StagedTrainer, stage: stages.Stage, unit: object) -> tuple[dict[str, float], int]:  # type: ignore[type-arg]
        nonlocal now
        now += 1.0
        return {}, 1

    monkeypatch.setattr(stages, "monotonic", lambda: now)
    monkeypatch.setattr(stages, "save_state", save)
    monkeypatch.setattr("hs_env.training.classifier_trainer.ClassifierTrainer.update", update)
    config = TrainConfig(
        corpus="phrases:train=200,dev=4,test=4",
        vectors="random:4",
        model="plain_lstm",
        model_parameters={"hidden_size": 4},
        batch_size=1,
        warm_epochs=1,
        joint_epochs=0,
        checkpoint_seconds=seconds,
    )
    train(config, tmp_path / "run", Console(quiet=True))
    assert [each for each in saved if each < 200] == expected
    assert saved[-1] == 200


@pytest.mark.parametrize("damage", ["no best", "best is a text", "no evaluation"])
def test_a_checkpoint_with_a_damaged_history_is_refused(damage: str, tmp_path: Path) -> None:
    config = TrainConfig(
        corpus="phrases:train=40,dev=4,test=4", vectors="random:4", model="plain_lstm", warm_epochs=1, joint_epochs=1
    )
    train_almost_to_the_end(config, tmp_path / "run")
    path = tmp_path / "run" / stages.CHECKPOINT
    state = load_state(path, "checkpoint")
    history = state["progress"]["history"]
    assert history
    if damage == "no evaluation":
        history.clear()
    for entry in history:
        entry["best"] = False if damage == "no best" else "yes"
    save_state(path, "checkpoint", state)
    with pytest.raises(HsEnvError, match=r"checkpoint\.safetensors is damaged .*(history|evaluation)"):
        resume(tmp_path / "run", Console(quiet=True))


SMALL = TrainConfig(
    corpus="phrases:train=60,dev=10,test=10",
    model="plain_lstm",
    vectors="random:4",
    model_parameters={"hidden_size": 4},
    batch_size=10,
    warm_epochs=2,
    joint_epochs=0,
    checkpoint_seconds=0,
    threads=1,
)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError(), RuntimeError("can't allocate memory: 9 GB")]
)
def test_a_resumed_run_without_memory_blames_no_checkpoint(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady = train(SMALL, tmp_path / "steady", Console(quiet=True))
    with monkeypatch.context() as patch:
        stop_at_update(3, patch)
        with pytest.raises(KeyboardInterrupt):
            train(SMALL, tmp_path / "run", Console(quiet=True))

    def used_up(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(ClassifierOptimizer, "update", used_up)
        with pytest.raises(type(error)):
            resume(tmp_path / "run", Console(quiet=True))
    assert resume(tmp_path / "run", Console(quiet=True)).scores == steady.scores


def test_a_stopped_run_continues_with_other_checkpoints_and_from_data_that_has_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "a"
    data.mkdir()
    (data / "v.txt").write_text("film 1 2\nbad 2 1\n")
    config, run = replace(SMALL, vectors="v.txt", data_dir=data), tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_at_update(3, patch)
        with pytest.raises(KeyboardInterrupt):
            train_or_resume(config, run, Console(quiet=True))
    before = (run / "config.json").read_bytes()
    data.rename(tmp_path / "b")
    moved = replace(config, data_dir=tmp_path / "b", checkpoint_seconds=9.0)
    for wrong in (replace(moved, seed=1), replace(moved, data_dir=tmp_path / "c")):
        with pytest.raises(HsEnvError, match=r"has another configuration|no file of word vectors"):
            train_or_resume(wrong, run, Console(quiet=True))
        assert (run / "config.json").read_bytes() == before
    assert train_or_resume(moved, run, Console(quiet=True)).config.data_dir == tmp_path / "b"
    assert Run.load(run).config.data_dir == tmp_path / "b"
    finished = train_or_resume(replace(config, threads=2), run, Console(quiet=True))  # it is only loaded
    assert finished.config.data_dir == tmp_path / "b"
    with pytest.raises(HsEnvError, match="has another configuration"):
        train_or_resume(replace(config, seed=1), run, Console(quiet=True))
