"""The command line, from a run to its table."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import get_type_hints

import pytest

from hs_env import cli
from hs_env.agents import ReinforceConfig, SB3Config
from hs_env.language import LMConfig
from hs_env.training import TrainConfig

SMALL = """--corpus phrases:train=160,dev=40,test=40 --vectors random:6 --hidden-size 10 --batch-size 16 --warm-epochs 1
--pnet-epochs 1 --joint-epochs 1 --threads 1 --reinforce.samples 3""".split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "small"
    cli.main(["train", "--out", str(path), *SMALL])
    return path


@pytest.fixture(scope="module")
def distilled(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "distilled"
    cli.main(["train", "--model", "id_lstm", "--agent", "ppo", "--sb3.steps", "16", "--out", str(path), *SMALL])
    return path


def test_train_writes_the_comparison(folder):
    comparison = json.loads((folder / "evaluation-test.json").read_text())
    names = [row["name"] for row in comparison["rows"]]
    assert names[:2] == ["HS-LSTM", "plain LSTM"]
    assert comparison["rows"][0]["note"] == "REINFORCE, greedy"
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
    assert first["note"] == "PPO, greedy"
    assert 0 < first["metrics"]["share_retained"]["value"] <= 1
    assert whole["metrics"]["share_retained"]["value"] == 1
    assert "phrases_per_sentence" not in first["metrics"]
    assert "ID-LSTM less plain LSTM" in comparison["caption"]
    assert comparison["deletions"]["most"]
    cli.main(["evaluate", str(distilled), "--split", "dev"])
    assert {"deleted", "kept"} <= set(capsys.readouterr().out.split())


def test_a_flat_run_has_a_table_and_nothing_to_segment(tmp_path, capsys):
    path = tmp_path / "flat"
    cli.main(["train", "--model", "cnn", "--out", str(path), *SMALL])
    assert f"The run is in {path}" in capsys.readouterr().out
    cli.main(["evaluate", str(path), "--split", "dev", "--format", "csv"])
    rows = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert {row["row"] for row in rows} == {"CNN", "plain LSTM"}
    with pytest.raises(SystemExit):
        cli.main(["segment", "good", "--run", str(path)])
    assert "is a CNN, which takes a sentence as it is" in " ".join(capsys.readouterr().err.split())


def test_flags_reach_the_config(folder):
    saved = TrainConfig.from_json(json.loads((folder / "config.json").read_text()))
    assert (saved.hidden_size, saved.reinforce.samples, saved.vectors) == (10, 3, "random:6")


@pytest.mark.parametrize("format", ["table", "json", "csv", "markdown"])
def test_evaluate(folder, format, capsys):
    cli.main(["evaluate", str(folder), "--split", "dev", "--format", format])
    out = capsys.readouterr().out
    assert "plain LSTM" in out
    if format == "json":
        figures = json.loads(out)["rows"][0]["metrics"]["accuracy"]
        assert figures["low"] <= figures["value"] <= figures["high"]
    if format == "csv":
        assert {"accuracy", "log_likelihood", "macro_f1"} <= {row["metric"] for row in csv.DictReader(io.StringIO(out))}


@pytest.mark.parametrize("kind", ["folder", "distilled"])
def test_no_policy_is_better_than_the_oracle(kind, request, capsys):
    folder = request.getfixturevalue(kind)
    capsys.readouterr()
    cli.main(["evaluate", str(folder), "--split", "dev", "--format", "json", "--oracle", "8"])
    rows = {row["name"]: row["metrics"] for row in json.loads(capsys.readouterr().out)["rows"]}
    trained, oracle = rows["ID-LSTM" if kind == "distilled" else "HS-LSTM"], rows["oracle"]
    for name in ("log_likelihood", "accuracy"):
        assert oracle[name]["value"] >= trained[name]["value"]


def test_the_mean_over_drawn_readings_is_a_row(folder, capsys):
    capsys.readouterr()
    cli.main(["evaluate", str(folder), "--split", "dev", "--format", "json", "--samples", "3"])
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["name"] for row in rows].count("HS-LSTM") == 2
    assert rows[2]["note"] == "mean over 3 drawn readings"
    with pytest.raises(SystemExit):
        cli.main(["evaluate", str(folder), "--samples", "-1"])
    assert "0 times or more often, got -1" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["evaluate", str(folder / "plain_lstm"), "--samples", "2"])
    assert "no decisions to draw" in capsys.readouterr().err


def test_structure(folder, tmp_path, capsys):
    (tmp_path / "conll2000").mkdir()
    (tmp_path / "conll2000" / "test.txt").write_text("the DT B-NP\nplot NN I-NP\nis VBZ B-VP\ndull JJ B-ADJP\n")
    arguments = ["structure", "conll2000", "--data-dir", str(tmp_path), "--format", "csv"]
    cli.main([*arguments, "--run", str(folder)])
    assert (folder / "structure-conll2000-test.csv").read_text() in capsys.readouterr().out
    cli.main(arguments)
    assert "HS-LSTM, shuffled" in capsys.readouterr().out


def test_neighbours(folder, capsys):
    cli.main(["neighbours", "not good", "the movie", "--run", str(folder), "--split", "dev", "--k", "3", "--json"])
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["phrase"], second["phrase"]) == ("not good", "the movie")
    assert [len(value["neighbours"]) for value in (first, second)] == [3, 3]


def test_neighbours_of_the_shipped_run(capsys):
    cli.main(["neighbours", "the movie", "--split", "test"])
    assert "  this movie  (" in capsys.readouterr().out


def test_segment_arguments(folder, capsys):
    cli.main(["segment", "The movie is not good", "this drama was superb", "--run", str(folder)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].replace("[", "").replace("]", "").startswith("the movie is not good  → ")


def test_segment_standard_input_as_json(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("the plot is dull\n\nwonderful\n"))
    cli.main(["segment", "--run", str(folder), "--json"])
    values = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [value["text"] for value in values] == ["the plot is dull", "wonderful"]
    assert " ".join(values[0]["phrases"]) == "the plot is dull"
    assert values[0]["label"] in ("negative", "positive")
    assert 0.5 <= values[0]["probability"] <= 1


def test_segment_with_id_lstm(distilled, capsys):
    cli.main(["segment", "the plot is dull", "--run", str(distilled), "--json"])
    value = json.loads(capsys.readouterr().out)
    assert "phrases" not in value
    assert set(value["retained"]) <= {"the", "plot", "is", "dull"}
    assert value["retained"]


def test_the_shipped_run_distils(capsys):
    cli.main(["segment", "the movie is not very good", "the movie is very good", "--run", "phrases_id_lstm", "--json"])
    negative, positive = map(json.loads, capsys.readouterr().out.splitlines())
    assert (negative["label"], positive["label"]) == ("negative", "positive")
    assert "not" in negative["retained"]
    assert len(negative["retained"]) < 6


def test_the_shipped_run_segments(capsys):
    cli.main(["segment", "the movie is not very good", "the movie is very good"])
    negative, positive = capsys.readouterr().out.splitlines()
    assert "→ negative" in negative
    assert "→ positive" in positive


def test_corpora(capsys):
    cli.main(["corpora"])
    assert {"movie_reviews", "phrases", "mr", "sst2"} <= set(capsys.readouterr().out.split())
    cli.main(["corpora", "phrases:train=20,dev=10,test=10"])
    assert "[" in capsys.readouterr().out


def test_rewards(capsys):
    cli.main(["rewards"])
    assert {"hs_lstm.v1", "boundary_f1.v1", "gamma=0.15"} <= set(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["segment", "--run", "nowhere", "a"], "Unknown classifier 'nowhere'"),
        (["segment", " "], "has no words"),
        (["corpora", "movie_reveiws"], "Did you mean 'movie_reviews"),
        (["train", "--resume", "nowhere"], "is not the folder of a run"),
        (["train", "--resume", "x", "--seed", "1"], "Give no others"),
        (["train", "--model", "id_lstm", "--structure", "all_end", *SMALL], "Choose one of: all_retain, content_words"),
        (["train", "--batch-size", "0"], "batch_size must be a whole number"),
        (["neighbours", "zzz", "--split", "test"], "knows no word of 'zzz'"),
        (["neighbours", "good", "--run", "phrases_id_lstm"], "has no vectors of phrases"),
        (["structure", "sst"], "give data_dir"),
        (["evaluate", "nowhere"], "is not the folder of a run"),
    ],
)
def test_errors_are_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_report(folder, distilled, tmp_path, capsys):
    out = tmp_path / "report.html"
    cli.main(["report", str(folder), str(distilled), "--out", str(out), "--split", "dev"])
    assert "ID-LSTM" in out.read_text()
    with pytest.raises(SystemExit):
        cli.main(["report", str(folder), "--out", str(out)])
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("config", [TrainConfig, ReinforceConfig, SB3Config, LMConfig])
def test_every_option_has_help_in_one_paragraph(config):
    for name, kind in get_type_hints(config, include_extras=True).items():
        (option,) = kind.__metadata__
        assert option.help.endswith("."), name
        assert "\n" not in option.help, name
