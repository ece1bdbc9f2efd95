"""`hs-env train`, from its options to the comparison in the folder of the run."""

from __future__ import annotations

import csv
import io
import json
import shutil
from importlib import import_module
from typing import get_type_hints

import pytest

from hs_env import cli
from hs_env.agents import AGENTS
from hs_env.language import LMConfig
from hs_env.models import MODELS, Classifier
from hs_env.parameters import describe_fields
from hs_env.training import TrainConfig
from hs_env.training.config import ResolvedConfig
from tests.cli.builders import SMALL


def test_train_writes_the_comparison(folder):
    comparison = json.loads((folder / "evaluation-test.json").read_text())
    names = [row["name"] for row in comparison["rows"]]
    assert names[:2] == ["HS-LSTM", "plain LSTM"]
    assert comparison["rows"][0]["note"] == "phrases learned by REINFORCE"
    assert "deletions" not in comparison
    assert comparison["recurring"]["share"] >= 0
    assert {"boundary_recall", "phrase_f1"} <= comparison["rows"][0]["metrics"].keys()
    assert {"all_inside", "all_end", "random", "every_k", "punctuation", "function_words", "gold"} <= set(names)
    assert (folder / "evaluation-test.csv").exists()
    assert (folder / "plain_lstm" / "classifier.safetensors").exists()


def test_a_run_of_id_lstm_is_compared_by_its_own_figures(distilled, capsys):
    comparison = json.loads((distilled / "evaluation-test.json").read_text())
    assert [row["name"] for row in comparison["rows"]] == [
        "ID-LSTM",
        "plain LSTM",
        "all_retain",
        "content_words",
        "no_punctuation",
        "random",
    ]
    first, _, whole = comparison["rows"][:3]
    assert first["note"] == "retained words learned by PPO"
    assert 0 < first["metrics"]["share_retained"]["value"] <= 1
    assert whole["metrics"]["share_retained"]["value"] == 1
    assert "phrases_per_sentence" not in first["metrics"]
    assert "ID-LSTM less plain LSTM" in comparison["caption"]
    assert comparison["deletions"]["most"]
    cli.main(["evaluate", str(distilled), "--split", "dev"])
    assert {"deleted", "kept"} <= set(capsys.readouterr().out.split())


def test_a_flat_run_has_a_table_and_shows_sentences_as_they_are(tmp_path, capsys):
    path = tmp_path / "flat"
    cli.main(["train", "--model", "cnn", "--out", str(path), *SMALL])
    assert f"The run is in {path}" in capsys.readouterr().out
    cli.main(["evaluate", str(path), "--split", "dev", "--format", "csv"])
    rows = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert {row["row"] for row in rows} == {"CNN", "plain LSTM"}
    cli.main(["segment", "good film", "--run", str(path)])
    assert capsys.readouterr().out.startswith("good film  → ")
    with pytest.raises(SystemExit):
        cli.main(["neighbours", "good", "--run", str(path)])
    assert "CNN, takes a sentence as it is" in " ".join(capsys.readouterr().err.split())


def test_flags_reach_the_config(folder):
    saved = ResolvedConfig.from_json(json.loads((folder / "config.json").read_text()))
    assert (saved.model_parameters["hidden_size"], saved.agent_parameters["samples"]) == (10, 3)
    assert saved.vectors == "random:6"


@pytest.mark.parametrize("config", [TrainConfig, LMConfig])
def test_every_option_has_help_in_one_paragraph(config):
    import_module("hs_env.cli.train").command([])  # sets the help of its options
    import_module("hs_env.cli.lm")
    for name, kind in get_type_hints(config, include_extras=True).items():
        if name in ("MAIN", "model_parameters", "agent_parameters"):  # no option, or each parameter is one instead
            continue
        (option,) = kind.__metadata__
        assert option.help.endswith("."), name
        assert "\n" not in option.help, name


PARAMETERS = {AGENTS.get(name).parameters for name in AGENTS} | {MODELS.get(name).Parameters for name in MODELS}


@pytest.mark.parametrize("kind", sorted(PARAMETERS, key=str))
def test_every_parameter_has_a_description_in_one_paragraph(kind):
    for name, _, text in describe_fields(kind):
        assert text.endswith("."), name
        assert "\n" not in text, name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--seeds"], "Expected one seed or more, each once, got none"),
        (["train", "--jobs", "7"], "--jobs is for --seeds"),
        (["corpora", "--text-column", "review"], "Name the corpus, or leave them out"),
        (["lm", "show", ""], "Give at least one character of text"),
    ],
)
def test_options_without_an_effect_are_refused(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        cli.main(arguments)
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["sweep", "grid.toml"], ["tune", *SMALL], ["prepare", "mr"], ["train", *SMALL]])
def test_a_file_in_the_place_of_a_folder_is_named(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grid.toml").write_text("")
    (tmp_path / "own.csv").write_text("text,label\n")
    with pytest.raises(SystemExit):
        cli.main([*command, "--out", "own.csv"])
    assert "own.csv is a file. Choose another folder" in capsys.readouterr().err


def test_a_folder_with_the_name_of_a_shipped_run_is_told(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, "phrases")
    with pytest.warns(UserWarning, match=r"'phrases' is the classifier that ships .* give \./phrases"):
        shipped = Classifier.load("phrases")
    assert shipped.model.state_size != Classifier.load("./phrases").model.state_size
