"""Runs of language models: their files, that they learn, repeat, and resume after a kill."""

from __future__ import annotations

import io
import json
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor

from hs_env.cli import main
from hs_env.errors import HsEnvError
from hs_env.language import LMConfig, LMRun, evaluate_lm, load_text, resume_lm, train_lm
from hs_env.language.trainer import LMTrainer
from hs_env.models.hm.layers import HMLSTM
from hs_env.storage import load_state, save_state
from hs_env.training.stages import CHECKPOINT
from tests.language.builders import CONFIG, QUIET, write
from tests.processes import CONTEXT


def weights(run: LMRun) -> dict[str, Tensor]:
    return run.language_model.model.state_dict()


def assert_same(one: LMRun, two: LMRun) -> None:
    for name, value in weights(one).items():
        assert torch.equal(value, weights(two)[name]), name


def test_a_run_leaves_what_it_promises_and_repeats(finished: LMRun, tmp_path: Path) -> None:
    names = {path.name for path in finished.folder.iterdir()}
    assert {"config.json", "record.json", "history.json", "language_model.safetensors"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert [entry["updates"] for entry in finished.history] == [15, 30]
    assert finished.history[-1]["cpu_seconds"] > 0
    again = train_lm(finished.config, tmp_path / "again", QUIET)
    assert_same(finished, again)
    assert LMRun.load(finished.folder).config == finished.config


@pytest.mark.parametrize("core", ["lstm", "ln_lstm", "h_net", "segmental"])
def test_one_layer_is_enough_without_an_equal_hm_lstm(core: str, text_file: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, text=str(text_file), core=core, layers=1, equal_parameters=False, updates=2)
    assert train_lm(config, tmp_path / "run", QUIET).evaluate("test")["bits_per_character"] > 0


def test_a_run_scores_other_texts_and_finds_its_own_again(
    text_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data" / "tinyshakespeare").mkdir(parents=True)
    write(tmp_path / "data" / "tinyshakespeare", text_file.read_bytes(), "input.txt")
    config = replace(CONFIG, text="tinyshakespeare", data_dir=tmp_path / "data", updates=2)
    run = train_lm(config, tmp_path / "run", QUIET)
    own = run.evaluate("test")
    saved = (run.folder / "evaluation-test.json").read_bytes()
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(HsEnvError, match="does not exist"):
        run.evaluate("test")
    main(["lm", "evaluate", str(run.folder), "--data-dir", str(tmp_path / "moved"), "--json"])
    assert json.loads(capsys.readouterr().out) == own
    other = write(tmp_path, text_file.read_bytes()[::-1], "other.txt")
    main(["lm", "evaluate", str(run.folder), "--text", str(other)])
    assert f"{other}, test: " in capsys.readouterr().out
    assert (run.folder / "evaluation-test.json").read_bytes() == saved
    assert run.evaluate("test", text=load_text(str(text_file))) == own
    with pytest.raises(SystemExit):
        main(["lm", "evaluate", str(run.folder), "--text", str(write(tmp_path, "ß".encode() * 500, "unknown.txt"))])
    assert "'ß' is not among" in capsys.readouterr().err


def test_options_that_a_core_does_not_use_are_named(text_file: Path, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=200)
    train_lm(replace(CONFIG, text=str(text_file), core="lstm", boundary_rate=0.3, updates=1), tmp_path / "run", console)
    assert "Warning: Plain LSTM does not use boundary_rate." in console.file.getvalue()


def learn_quietly(config: LMConfig, folder: Path) -> None:
    train_lm(config, folder, QUIET)


def test_a_killed_run_resumes_bit_for_bit(text_file: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, text=str(text_file), boundary="sample", dropout=0.2, checkpoint_seconds=0.0)
    whole = train_lm(config, tmp_path / "whole", QUIET)
    process = CONTEXT.Process(target=learn_quietly, args=(config, tmp_path / "killed"))
    process.start()
    checkpoint = tmp_path / "killed" / "checkpoint.safetensors"
    while process.is_alive():
        if checkpoint.exists() and load_state(checkpoint, "checkpoint")["progress"]["updates"] >= 4:
            process.kill()
            break
        time.sleep(0.005)
    process.join()
    assert not (tmp_path / "killed" / "history.json").exists(), "the run was over before it was killed"
    with pytest.raises(HsEnvError, match="--resume"):
        LMRun.load(tmp_path / "killed")
    resumed = resume_lm(tmp_path / "killed", QUIET)
    assert_same(whole, resumed)
    assert len(json.loads((tmp_path / "killed" / "record.json").read_text())) == 2


def stop(monkeypatch: pytest.MonkeyPatch, method: str, updates: int) -> None:
    """Interrupt each run in a method of its trainer after so many updates."""
    original = getattr(LMTrainer, method)

    def interrupted(self: LMTrainer, *arguments: Any) -> Any:
        if self.progress.updates == updates:
            raise KeyboardInterrupt
        return original(self, *arguments)

    monkeypatch.setattr(LMTrainer, method, interrupted)


@pytest.mark.parametrize(
    ("method", "updates"),
    [("update", 0), ("update", 1), ("_evaluate_dev", 15), ("update", 15), ("update", 22), ("save_result", 30)],
)
def test_a_stopped_run_resumes_from_its_last_checkpoint(
    method: str, updates: int, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last checkpoint may be none, after the first update, before or after an evaluation, or after all updates."""
    config = replace(CONFIG, text=str(text_file), core="lstm", stretch=300, dropout=0.2)  # 3 updates read the text once
    whole = train_lm(config, tmp_path / "whole", QUIET)
    stopped, shown = tmp_path / "stopped", io.StringIO()
    with monkeypatch.context() as patch:
        stop(patch, method, updates)
        with pytest.raises(KeyboardInterrupt):
            train_lm(replace(config, checkpoint_seconds=0.0), stopped, Console(file=shown, width=10_000))
    assert f"Stopped. Resume with: hs-env lm train --resume {stopped}" in shown.getvalue()
    assert (stopped / CHECKPOINT).exists() == (updates > 0)
    resumed = resume_lm(stopped, QUIET)
    assert not (stopped / CHECKPOINT).exists()
    assert_same(whole, resumed)
    assert resumed.language_model.notes["dev"] == whole.language_model.notes["dev"]
    names = ("updates", "bits_per_character")
    assert [[entry[n] for n in names] for entry in whole.history] == [
        [entry[n] for n in names] for entry in resumed.history
    ]


def test_a_run_resumes_only_on_its_own_text_and_version(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = write(tmp_path, text_file.read_bytes())
    with monkeypatch.context() as patch:
        stop(patch, "save_result", 30)
        with pytest.raises(KeyboardInterrupt):
            train_lm(replace(CONFIG, text=str(text)), tmp_path / "run", QUIET)
    write(tmp_path, text_file.read_bytes()[:-1] + b"z")  # the same characters
    with pytest.raises(HsEnvError, match=r"text '.*' has changed since the run in .*run began: it .* part 'test'\."):
        resume_lm(tmp_path / "run", QUIET)
    digests = tmp_path / "run" / "data.json"
    saved = digests.read_bytes()
    digests.unlink()  # as in runs of earlier versions, whose checkpoints hold a digest
    with pytest.raises(HsEnvError, match=r"text '.*' .* has changed since this run began"):
        resume_lm(tmp_path / "run", QUIET)
    digests.write_bytes(saved)
    write(tmp_path, text_file.read_bytes())
    checkpoint = tmp_path / "run" / CHECKPOINT
    state = load_state(checkpoint, "checkpoint")
    save_state(checkpoint, "checkpoint", state | {"progress": state["progress"] | {"old": 1}})
    with pytest.raises(HsEnvError, match="another version of hs-env"):
        resume_lm(tmp_path / "run", QUIET)


def test_the_weights_of_the_best_evaluation_are_kept(text_file: Path, tmp_path: Path) -> None:
    """The learning rate is so high that the last evaluation, after half an epoch, is worse than the first one."""
    rates = {"learning_rate": 5.0, "decay_share": 0.0}
    config = replace(CONFIG, text=str(text_file), core="lstm", updates=12, evaluate_every=8, **rates)
    run = train_lm(config, tmp_path / "run", QUIET)
    assert [entry["updates"] for entry in run.history] == [8, 12]
    scores = [entry["bits_per_character"] for entry in run.history]
    assert scores[0] < scores[1] - 1
    assert run.evaluate("dev")["bits_per_character"] == run.language_model.notes["dev"] == scores[0]


@pytest.mark.parametrize(
    ("core", "updates", "learning_rate"), [("hm_lstm", 60, 3e-2), ("lstm", 200, 3e-2), ("h_net", 200, 1e-2)]
)
def test_training_reaches_the_entropy_of_a_text_and_no_less(
    core: str, updates: int, learning_rate: float, tmp_path: Path
) -> None:
    """Every third character is one of four at random, all others are certain: 2/3 bits per character.

    A model that saw the character to predict would score lower. One pass, since training sees few starts of a stream.
    """
    generator = random.Random(0)
    path = write(tmp_path, "".join(generator.choice("abcd") + "- " for _ in range(4000)).encode())
    size = {"hidden_size": 16, "layers": 2, "updates": updates, "evaluate_every": 200, "learning_rate": learning_rate}
    run = train_lm(replace(CONFIG, text=str(path), core=core, **size), tmp_path / "run", QUIET)
    model, text = run.language_model, load_text(str(path))
    scores = evaluate_lm(model.model, model.encode(text.test), 1, model.alphabet)
    assert 0.66 < scores["bits_per_character"] < 0.72
    if core == "h_net":
        assert scores["boundaries_1"] == pytest.approx(0.2, abs=0.15)
    if core == "hm_lstm":
        for layer in (1, 2):
            assert sum(scores[f"{name}_{layer}"] for name in ("update", "copy", "flush")) == pytest.approx(1, abs=1e-5)
        assert scores["copy_1"] == scores["flush_2"] == 0


def test_a_policy_gradient_reaches_gate_and_early_exit_and_the_run_loads(text_file: Path, tmp_path: Path) -> None:
    size = {"updates": 2, "evaluate_every": 2, "boundary_rate": 0.3}
    config = replace(CONFIG, text=str(text_file), core="h_net", router="reinforce", rate_control="controller", **size)
    trainer = LMTrainer(config, load_text(str(text_file)), tmp_path / "trainer", QUIET)
    trainer._update(0)
    for name in ("core.router.head.weight", "early.weight", "core.encoder.layers.0.weight_ih"):
        gradient = trainer.model.get_parameter(name).grad
        assert gradient is not None, name
        assert gradient.abs().max() > 0, name
    run = train_lm(config, tmp_path / "run", QUIET)
    assert LMRun.load(run.folder).evaluate("dev") == run.evaluate("dev")
    assert 0.1 < run.evaluate("dev")["boundaries_1"] < 0.6
    without = train_lm(replace(config, early_exit=False), tmp_path / "without", QUIET)
    assert without.language_model.model.early is None


def test_a_gradient_that_is_not_finite_is_an_error(text_file: Path, tmp_path: Path) -> None:
    trainer = LMTrainer(replace(CONFIG, core="lstm"), load_text(str(text_file)), tmp_path, QUIET)
    with torch.no_grad():
        trainer.model.softmax.bias[0] = float("inf")
    with pytest.raises(HsEnvError, match="update 1 is not finite"):
        trainer._update(0)


def test_the_learning_rate_falls_to_a_fiftieth() -> None:
    config = LMConfig(updates=100, decay_share=0.5, learning_rate=1.0)
    assert [config.learning_rate_at(update) for update in (0, 50, 100)] == pytest.approx([1, 1, 0.02])
    assert replace(config, decay_share=0.0).learning_rate_at(99) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"core": "gru"}, "Unknown core"),
        ({"boundary": "hard"}, "one of step"),
        ({"layers": 1}, "layers"),
        ({"updates": 0}, "updates"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_impossible_configurations_are_refused(change: dict, message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        replace(CONFIG, **change)


def test_a_text_too_short_for_its_streams_is_refused(text_file: Path, tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match="Make batch_size or stretch smaller"):
        train_lm(replace(CONFIG, text=str(text_file), batch_size=5000), tmp_path / "run", QUIET)


def test_core_has_the_slope_of_its_epoch(finished: LMRun) -> None:
    core = finished.language_model.model.core
    assert isinstance(core, HMLSTM)
    assert 1.0 <= core.slope < 1.04
