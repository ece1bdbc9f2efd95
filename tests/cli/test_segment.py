"""`hs-env segment`: arguments, standard input and JSON."""

from __future__ import annotations

import io
import json
import sys

from hs_env import cli


def test_segment_arguments(folder, capsys):
    cli.main(["segment", "The movie is not good", "this drama was superb", "--run", str(folder)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].replace("[", "").replace("]", "").startswith("the movie is not good  → ")


def test_segment_standard_input_as_json(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("the plot is dull\n\nwonderful\n"))
    cli.main(["segment", "--run", str(folder), "--json"])
    values = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [value["text"] for value in values] == ["the plot is dull", "", "wonderful"]
    assert " ".join(values[0]["phrases"]) == "the plot is dull"
    assert values[0]["label"] in ("negative", "positive")
    assert 0.5 <= values[0]["probability"] <= 1
    assert values[0]["probability"] == max(values[0]["probabilities"].values())
    assert set(values[0]["probabilities"]) == {"negative", "positive"}
    assert (values[1]["label"], values[1]["phrases"]) == (None, [])


def test_an_empty_argument_has_an_empty_line(folder, capsys):
    cli.main(["segment", "the plot is dull", "", "wonderful", "--run", str(folder)])
    lines = capsys.readouterr().out.splitlines()
    assert [bool(line) for line in lines] == [True, False, True]
    assert "→" in lines[2]


def test_unknown_words_are_told(capsys):
    cli.main(["segment", "le chien mange du pain"])
    assert "does not know 100% of the words of text 1, 'le chien" in capsys.readouterr().err
    cli.main(["segment", "the movie is good"])
    assert capsys.readouterr().err == ""


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
