"""What a run shows while it trains, how long it says that it will take, and the progress that rewards are told."""

from __future__ import annotations

import io
from dataclasses import asdict

import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto.event_pb2 import SessionLog

from hs_env.rewards import REWARDS
from hs_env.training import TrainConfig, monitor, resume, train
from hs_env.training.events import EventFile
from hs_env.training.monitor import Monitor
from hs_env.training.progress import Progress, check_progress, progress_of
from hs_env.training.time_left import TimeLeft
from tests.training.stopped import stop_at_update

SCORES = {"accuracy": 0.5, "macro_f1": 0.4, "log_likelihood": -0.7, "reward": -0.6, "phrases_per_sentence": 12.2}


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def passed(clock: Clock, left: TimeLeft, updates: int, seconds: float) -> None:
    for _ in range(updates):
        clock.now += seconds
        left.update()


def test_a_checkpoint_of_an_older_version_counts_its_updates():
    old = asdict(Progress(updates=7, sums={"loss": 6.0, "norm": 3.0})) | {"summed": 3}
    del old["counts"]
    progress = progress_of(old)
    assert progress.counts == {"loss": 3, "norm": 3}
    check_progress(progress, 3, {})
    assert progress_of(asdict(progress)) == progress


def test_time_left_covers_the_later_stages():
    clock = Clock()
    left = TimeLeft(clock)
    left.begin(100, 1.0, later=50 * 2.0 + 100 * 3.0)
    assert left.seconds is None
    assert str(left) == ""
    passed(clock, left, 40, 0.5)
    assert left.seconds == pytest.approx(60 * 0.5 + 50 * 1.0 + 100 * 1.5)


def test_time_left_of_a_new_stage_follows_from_the_last_one_until_its_own_speed_is_known():
    clock = Clock()
    left = TimeLeft(clock)
    left.begin(10, 1.0, later=100 * 2.0)
    passed(clock, left, 10, 0.5)
    left.begin(100, 2.0)
    assert left.seconds == pytest.approx(100 * 1.0)
    clock.now += 5.0  # an evaluation counts too
    passed(clock, left, 5, 3.0)
    assert left.seconds == pytest.approx(95 * 4.0)


def test_time_left_of_a_resumed_stage_counts_from_there():
    clock = Clock()
    left = TimeLeft(clock)
    left.begin(20)
    passed(clock, left, 20, 1.0)
    assert left.seconds == 0


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "5 s"), (42, "40 s"), (94, "95 s"), (100, "2 min"), (3000, "50 min"), (9000, "2.5 h")]
)
def test_time_left_is_rounded(seconds, words):
    clock = Clock()
    left = TimeLeft(clock)
    left.begin(10, 1.0, later=float(seconds))
    passed(clock, left, 10, 1.0)
    assert str(left) == f"about {words} left"


def test_a_file_gets_whole_lines_and_one_so_often(tmp_path, monkeypatch):
    shown, now = io.StringIO(), Clock()
    monkeypatch.setattr(monitor.time, "monotonic", now)
    with Monitor(tmp_path, Console(file=shown, width=40)) as watched:
        watched.stage("warm", 1000, 0, "the classifier learns")
        for step in range(1, 100):
            now.now += 1.0
            watched.update(step, {}, 16)
        watched.epoch(99, "warm", 1, SCORES, True, "")
    lines = shown.getvalue().splitlines()
    assert not {"\r", "\x1b"} & set(shown.getvalue())
    assert lines[0] == "warm: the classifier learns"
    assert [line.split(" of ")[0] for line in lines[1:4]] == ["warm   31", "warm   62", "warm   93"]
    assert lines[1].startswith("warm   31 of 1,000 updates  16 sentences/s  about ")
    assert lines[-1].endswith("12.2 phrases  macro F1 40.0%  (best)")
    assert len(lines) == 5


def test_a_narrow_terminal_gets_one_line_per_epoch(tmp_path):
    for width, last in ((80, "12.2 phrases"), (200, "macro F1 40.0%")):
        shown = io.StringIO()
        with Monitor(tmp_path, Console(file=shown, width=width, force_terminal=True, color_system=None)) as watched:
            watched.epoch(1, "joint", 1, SCORES, False, "")
        (line,) = (line for line in shown.getvalue().splitlines() if "accuracy" in line)
        assert last in line
        assert len(line.rstrip()) <= width


@pytest.mark.parametrize(
    ("model", "explained"),
    [
        ("hs_lstm", ["warm: the classifier (C-Net)", "pnet: the policy (P-Net)", "joint: policy and classifier"]),
        ("cnn", ["warm: the classifier learns", "joint: it continues to learn"]),
    ],
)
def test_stages_are_explained_where_they_begin(tmp_path, model, explained):
    shown = io.StringIO()
    small = TrainConfig(
        corpus="phrases:train=40,dev=10,test=10",
        vectors="random:4",
        model=model,
        model_parameters={"hidden_size": 4},
        warm_epochs=1,
        joint_epochs=1,
        threads=1,
    )
    train(small, tmp_path / "run", Console(file=shown))
    lines = shown.getvalue().splitlines()
    starts = [next(at for at, line in enumerate(lines) if line.startswith(start)) for start in explained]
    for at, start in zip(starts, explained, strict=True):
        stage = start.partition(":")[0]
        assert not any(line.startswith(f"{stage} ") for line in lines[:at])


def test_a_reward_is_told_the_progress_of_the_policy_also_after_a_stop(tmp_path, monkeypatch):
    told, on_dev = [], []

    def noted(labels, progress):
        (told if len(labels) == 8 * 3 else on_dev).append(progress)  # an update, or a score on the 10 sentences of dev
        return [0.0] * len(labels)

    monkeypatch.setitem(REWARDS._entries, "noted.v1", noted)
    config = TrainConfig(
        corpus="phrases:train=80,dev=10,test=10",
        vectors="random:4",
        model_parameters={"hidden_size": 4},
        agent_parameters={"samples": 3},
        reward="log_likelihood + noted",
        batch_size=8,
        warm_epochs=1,
        pnet_epochs=1,
        joint_epochs=1,
        checkpoint_seconds=0,
        threads=1,
    )
    train(config, tmp_path / "steady", Console(quiet=True))
    steady = [update / 20 for update in range(20)]
    assert told == steady
    assert (on_dev[0], on_dev[-1]) == (0, 1)
    assert on_dev == sorted(on_dev)
    told.clear()
    stop_at_update(10 + 4, monkeypatch)  # the classifier's updates in the warm start, then in the joint stage
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "stopped", Console(quiet=True))
    assert told == steady[:14]
    resume(tmp_path / "stopped", Console(quiet=True))
    assert told == steady[:14] + steady[13:]  # the update that was stopped is made again


def test_a_run_that_begins_again_drops_the_curves_of_before(tmp_path):
    """TensorBoard drops what is later than the step of a START event."""
    for _ in range(2):
        events = EventFile(tmp_path, 0)
        events.scalar("loss", 1.0, 5)
        events.close()
    paths = sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    logs = [[event.session_log.status for event in EventFileLoader(str(path)).Load()] for path in paths]
    assert [SessionLog.START in each for each in logs] == [False, True]
