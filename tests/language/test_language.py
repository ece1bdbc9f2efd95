"""Character language models: what they are given, what they compute, and runs that are killed and go on."""

from __future__ import annotations

import gzip
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor

from hs_env.cli import main
from hs_env.language import CharacterLM, LanguageModel, LMConfig, LMRun, evaluate_lm, load_text, resume_lm, train_lm
from hs_env.language.models import new_model
from hs_env.language.sampling import boundaries_in, marked, sample_text
from hs_env.language.texts import Text, encode
from hs_env.models.hm_lstm import HMLSTM
from hs_env.storage import load_state
from hs_env.types import HsEnvError

CONFIG = LMConfig(
    hidden_size=8, embedding_size=6, output_size=8, batch_size=8, stretch=20, updates=30, evaluate_every=15, threads=1
)
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def text_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short text: a sentence over and over."""
    path: Path = tmp_path_factory.mktemp("texts") / "fox.txt"
    path.write_text("the quick brown fox jumps over the lazy dog. " * 200)
    return path


@pytest.fixture(scope="module")
def finished(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> LMRun:
    return train_lm(replace(CONFIG, text=str(text_file)), tmp_path_factory.mktemp("runs") / "finished", QUIET)


# Texts ---------------------------------------------------------------------------------------------------------------


def test_treebank_characters_are_joined(tmp_path: Path) -> None:
    for split, line in (("train", " a _ c a t\n"), ("valid", "a _ b\n"), ("test", " c a b \n")):
        with gzip.open(tmp_path / f"ptb.char.{split}.txt.gz", "wt") as file:
            file.write(line * 2)
    (tmp_path / "ptb").mkdir()
    for path in list(tmp_path.glob("*.gz")):
        path.rename(tmp_path / "ptb" / path.name)
    text = load_text("ptb", tmp_path)
    assert (text.train, text.dev, text.test) == ("a cat\na cat\n", "a b\na b\n", "cab\ncab\n")
    assert text.alphabet == "\n abct"


def test_a_file_is_cut_in_order(text_file: Path) -> None:
    text = load_text(str(text_file))
    assert text.train + text.dev + text.test == text_file.read_text()
    assert [len(part) for part in (text.train, text.dev, text.test)] == [8100, 450, 450]


def test_the_built_in_text_needs_no_files() -> None:
    assert len(load_text("phrases").train) > 100_000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: load_text("ptb"), "give data_dir"),
        (lambda path: load_text("ptb", path), "is not there"),
        (lambda path: load_text("ptbb", path), "Did you mean 'ptb.v1'"),
        (lambda path: load_text(str(path / "none.txt")), "cannot be read"),
        (lambda path: Text.cut("short", "abc"), "fewer than 2 characters"),
        (lambda path: encode("aß", "abc"), "'ß' is not among the 3"),
    ],
)
def test_impossible_texts_are_refused(call, message: str, tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match=message):
        call(tmp_path)


# Models --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("core", ["hm_lstm", "lstm"])
def test_stretches_are_read_as_one_text(core: str) -> None:
    torch.manual_seed(0)
    model = CharacterLM(7, core, 3, 6, 5, 4).eval()
    tokens = torch.randint(0, 7, (12, 3))
    whole, z, _ = model(tokens)
    first, _, state = model(tokens[:5])
    second, _, _ = model(tokens[5:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, atol=1e-6, rtol=0)
    assert (z is None) == (core == "lstm")
    alone = model(tokens[:, 1:2])[0]
    torch.testing.assert_close(alone, whole[:, 1:2], atol=1e-6, rtol=0)


def test_the_gradient_with_dropout_is_that_of_what_was_dropped() -> None:
    torch.manual_seed(1)
    model, tokens = CharacterLM(7, "hm_lstm", 2, 6, 5, 4, dropout=0.5), torch.randint(0, 7, (4, 3))
    torch.manual_seed(2)
    one = model(tokens)[0]
    torch.manual_seed(2)
    assert torch.equal(model(tokens)[0], one)
    assert not torch.equal(model(tokens)[0], one)
    assert torch.equal(model.eval()(tokens)[0], model(tokens)[0])


def test_the_plain_stack_has_as_many_parameters() -> None:
    sizes = [new_model(replace(CONFIG, core=core, hidden_size=64), 50).size for core in ("hm_lstm", "lstm")]
    assert sizes[1] <= sizes[0]
    assert sizes[1] / sizes[0] > 0.98
    assert new_model(replace(CONFIG, core="lstm", hidden_size=64, equal_parameters=False), 50).core.hidden_size == 64


@pytest.mark.parametrize("core", ["hm_lstm", "lstm"])
@pytest.mark.parametrize("streams", [1, 7, 1000])
def test_bits_per_character_are_those_of_a_naive_computation(core: str, streams: int) -> None:
    torch.manual_seed(3)
    model, text = CharacterLM(7, core, 2, 6, 5, 4).eval(), torch.randint(0, 7, (250,))
    scores = evaluate_lm(model, text, streams)
    length = -(-249 // min(streams, 249))
    total = 0.0
    with torch.no_grad():
        for start in range(0, 249, length):
            part = text[start : start + length + 1]
            log_probs = model(part[:-1, None])[0][:, 0]
            total -= log_probs.gather(1, part[1:, None]).sum().item()
    assert scores["bits_per_character"] == pytest.approx(total / 249 / math.log(2), abs=1e-5)


# Runs ----------------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("core", ["hm_lstm", "lstm"])
def test_a_killed_run_goes_on_bit_for_bit(core: str, text_file: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, text=str(text_file), core=core, boundary="sample", dropout=0.2, checkpoint_seconds=0.0)
    whole = train_lm(config, tmp_path / "whole", QUIET)
    options = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in config.to_json().items()
        if type(value) in (int, float, str)
    ]
    command = [sys.executable, "-m", "hs_env.cli", "lm", "train", *options, "--out", str(tmp_path / "killed")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    checkpoint = tmp_path / "killed" / "checkpoint.safetensors"
    while process.poll() is None:
        if checkpoint.exists() and load_state(checkpoint, "checkpoint of a language model")["progress"]["updates"] >= 4:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.005)
    process.wait()
    assert not (tmp_path / "killed" / "history.json").exists(), "the run was over before it was killed"
    with pytest.raises(HsEnvError, match="--resume"):
        LMRun.load(tmp_path / "killed")
    resumed = resume_lm(tmp_path / "killed", QUIET)
    assert_same(whole, resumed)
    assert len(json.loads((tmp_path / "killed" / "record.json").read_text())) == 2


@pytest.mark.slow
def test_a_sentence_over_and_over_is_learnt(text_file: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, text=str(text_file), hidden_size=24, updates=150, evaluate_every=150, learning_rate=1e-2)
    model = train_lm(config, tmp_path / "run", QUIET).language_model
    scores = evaluate_lm(model.model, encode(load_text(str(text_file)).test, model.alphabet), streams=1)
    assert scores["bits_per_character"] < 0.1  # only the first few characters are a guess
    for layer in (1, 2, 3):
        assert sum(scores[f"{name}_{layer}"] for name in ("update", "copy", "flush")) == pytest.approx(1, abs=1e-5)
    assert scores["copy_1"] == scores["flush_3"] == 0


def test_the_learning_rate_falls_to_a_fiftieth() -> None:
    config = LMConfig(updates=100, decay_share=0.5, learning_rate=1.0)
    assert [config.learning_rate_at(update) for update in (0, 50, 100)] == pytest.approx([1, 1, 0.02])
    assert replace(config, decay_share=0.0).learning_rate_at(99) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"core": "gru"}, "core must be"),
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


# Sampling ------------------------------------------------------------------------------------------------------------


def test_sampling_repeats_and_the_marks_show_the_levels(finished: LMRun) -> None:
    model = finished.language_model
    one = sample_text(model, 40, "the ", seed=3)
    assert one == sample_text(model, 40, "the ", seed=3)
    assert one != sample_text(model, 40, "the ", seed=4)
    assert sample_text(model, 20, "the ", temperature=0.0, seed=1) == sample_text(model, 20, "the ", temperature=0.0)
    boundaries = boundaries_in(model, one)
    assert boundaries.shape == (40, 2)
    assert marked(one, boundaries).replace("|", "").replace("‖", "") == one
    assert marked("abcd", torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]])) == "ab|cd‖"


def test_sampling_reads_as_training_does(finished: LMRun) -> None:
    """The most probable text is the one that a single pass over it finds most probable."""
    model = finished.language_model
    written = sample_text(model, 15, "the ", temperature=0.0)
    tokens = encode("the " + written, model.alphabet)
    with torch.no_grad():
        likely = model.model(tokens[:, None])[0][:, 0].argmax(1)
    assert "".join(model.alphabet[place] for place in likely[3:-1].tolist()) == written


def test_errors_of_sampling_teach(finished: LMRun, text_file: Path) -> None:
    model = finished.language_model
    for arguments, message in (((5, ""), "Expected a prompt"), ((5, "ß"), "not among"), ((-1, "a"), "a length from 0")):
        with pytest.raises(HsEnvError, match=message):
            sample_text(model, *arguments)
    plain = LanguageModel(new_model(replace(CONFIG, core="lstm"), len(model.alphabet)).eval(), model.alphabet, {})
    with pytest.raises(HsEnvError, match="hm_lstm"):
        boundaries_in(plain, "fox")


def test_the_command_line(finished: LMRun, capsys: pytest.CaptureFixture[str]) -> None:
    main(["lm", "evaluate", str(finished.folder), "--split", "dev", "--json"])
    scores = json.loads(capsys.readouterr().out)
    assert scores["bits_per_character"] == pytest.approx(
        min(entry["bits_per_character"] for entry in finished.history), abs=1e-6
    )
    main(["lm", "sample", str(finished.folder), "--text", "the fox"])
    assert capsys.readouterr().out.replace("|", "").replace("‖", "") == "the fox\n"
    main(["lm", "evaluate", str(finished.folder)])
    assert "bits per character" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["lm", "evaluate", str(finished.folder.parent)])
    assert "hs-env lm train" in capsys.readouterr().err.replace("\n", " ")


def test_core_has_the_slope_of_its_epoch(finished: LMRun) -> None:
    core = finished.language_model.model.core
    assert isinstance(core, HMLSTM)
    assert 1.0 <= core.slope < 1.04
