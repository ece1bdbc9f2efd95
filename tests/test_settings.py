"""Presets and files of fields, for training of classifiers and of language models."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from hs_env import cli
from hs_env.cli.chosen import choose
from hs_env.errors import HsEnvError
from hs_env.language import LMConfig
from hs_env.language.config import PRESETS as LM_PRESETS
from hs_env.settings import load_settings, make_config, merge_settings, read_toml, to_toml
from hs_env.training import Run, TrainConfig
from hs_env.training.config import PRESETS


@pytest.mark.parametrize(("kind", "presets"), [(TrainConfig, PRESETS), (LMConfig, LM_PRESETS)])
def test_every_preset_is_a_configuration(kind, presets):
    names = tomllib.loads(presets.read_text("utf-8"))
    assert "phrases-small" in names
    for name in names:
        assert make_config(kind, load_settings(kind, presets, name)) != kind()


def test_a_file_overrides_a_preset_and_tables_are_merged(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("batch_size = 7\nmodel_parameters.dropout = 0.3\n")
    values = load_settings(TrainConfig, PRESETS, "phrases-small", path)
    assert values["batch_size"] == 7
    assert values["learning_rate"] == 1e-2
    assert values["model_parameters"] == {"hidden_size": 32, "dropout": 0.3, "word_dropout": 0.0}


@pytest.mark.parametrize("named", ["hs_lstm", "hs_lstm.v1"])
def test_a_preset_keeps_its_parameters_if_its_model_is_named_with_or_without_a_version(named):
    model, agent = choose(["--preset", "phrases-small", "--model", named, "--agent", "reinforce.v1"]).defaults[1:3]
    plain = choose(["--preset", "phrases-small"]).defaults[1:3]
    assert (model, agent) == plain
    assert model.hidden_size == 32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batch_sise = 3", "Unknown setting 'batch_sise'.*Did you mean 'batch_size'"),
        ("model_parameters.hiden_size = 3", "Did you mean 'hidden_size'"),
        ("batch_size = 0", "batch_size must be a whole number"),
        ("batch_size = ", "not a readable configuration"),
    ],
)
def test_a_fault_of_a_file_is_one_error_that_names_it(tmp_path, text, message):
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(HsEnvError, match=message) as raised:
        load_settings(TrainConfig, PRESETS, None, tmp_path / "own.toml")
    assert str(tmp_path / "own.toml") in str(raised.value)


def test_a_wrong_preset_lists_the_presets():
    with pytest.raises(HsEnvError, match=r"Did you mean 'mr-paper'.*Known: mr-paper, mr-paper-id-lstm, phrases-small"):
        load_settings(TrainConfig, PRESETS, "mr-papre")


def test_the_presets_of_the_paper_have_its_constants():
    """Zhang, Huang and Zhao (AAAI 2018): Adam at 5e-4 everywhere, no entropy bonus, 2, 5 and 5 epochs."""
    for name, reward in (("mr-paper", "hs_lstm"), ("mr-paper-id-lstm", "id_lstm")):
        config = make_config(TrainConfig, load_settings(TrainConfig, PRESETS, name)).resolve()
        assert (config.reward, config.reward_dropout, config.patience) == (reward, False, 5)
        assert (config.warm_epochs, config.pnet_epochs, config.joint_epochs) == (2, 5, 5)
        agent = config.agent_parameters
        assert (config.learning_rate, config.joint_learning_rate, agent["learning_rate"]) == (5e-4,) * 3
        assert (agent["samples"], agent["baseline"], agent["entropy_bonus"]) == (5, "group_mean", 0.0)


def test_what_is_written_is_read_again():
    values = {"corpus": 'a "b" \\ ü:c=1', "learning_rate": 1e-05, "seed": 3, "x": True, "t": {"a": 0.5, "b": "c"}}
    assert tomllib.loads(to_toml(values | {"reward": None, "u": {"v": None}})) == values
    assert merge_settings({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": 3}) == {"a": 3}


def test_options_override_the_file_that_overrides_the_preset(tmp_path):
    path, out = tmp_path / "own.toml", tmp_path / "run"
    path.write_text(
        'corpus = "phrases:train=40,dev=9,test=9"\nmodel = "plain_lstm"\nwarm_epochs = 1\njoint_epochs = 0\nseed = 5\n'
        "batch_size = 20\nthreads = 1\nmodel_parameters.hidden_size = 7\n"
    )
    cli.main(["train", "--preset", "phrases-small", "--config", str(path), "--out", str(out), "--batch-size", "10"])
    config = Run.load(out).config
    assert (config.model, config.batch_size, config.seed) == ("plain_lstm", 10, 5)
    assert (config.learning_rate, config.model_parameters["hidden_size"]) == (1e-2, 7)
    assert config.model_parameters["dropout"] == 0.1


def test_language_models_take_them_too(tmp_path, capsys):
    path, out = tmp_path / "own.toml", tmp_path / "run"
    path.write_text("updates = 2\nhidden_size = 8\nembedding_size = 4\nbatch_size = 4\nstretch = 10\n")
    cli.main(["lm", "train", "--preset", "phrases-small", f"--config={path}", "--out", str(out), "--stretch", "5"])
    saved = json.loads((out / "config.json").read_text())
    assert (saved["updates"], saved["stretch"], saved["output_size"]) == (2, 5, 64)
    capsys.readouterr()
    for given in (["train"], ["lm", "train"]):
        with pytest.raises(SystemExit):
            cli.main([*given, "--resume", str(out), "--preset", "phrases-small"])
        assert "Give no others" in capsys.readouterr().err


def test_a_run_to_start_from_takes_no_file(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--init-from", str(Path("x")), "--preset", "phrases-small"])
    assert "Leave --preset and --config out" in capsys.readouterr().err


def test_toml_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b'\xef\xbb\xbfvectors = "random:8"\r\n')
    assert read_toml(path, "grid") == {"vectors": "random:8"}
    path.write_text("a = 1", encoding="utf-16")
    with pytest.raises(HsEnvError, match=r"is not a readable grid: it is not UTF-8\. Convert it"):
        read_toml(path, "grid")
