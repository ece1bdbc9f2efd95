"""`hs-env evaluate`: formats, and rows for the oracle and for sampled actions."""

from __future__ import annotations

import csv
import io
import json

import pytest

from hs_env import cli


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
    assert rows[2]["note"] == "mean over 3 samples"
    with pytest.raises(SystemExit):
        cli.main(["evaluate", str(folder), "--samples", "-1"])
    assert "samples must be 0 or more, got -1" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["evaluate", str(folder / "plain_lstm"), "--samples", "2"])
    assert "takes no actions, so none can be sampled" in capsys.readouterr().err
