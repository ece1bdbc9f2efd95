"""`hs-env neighbours`, with a new run and with the one that ships with the package."""

from __future__ import annotations

import json

import pytest

from hs_env import cli


def test_neighbours(folder, capsys):
    cli.main(["neighbours", "not good", "the movie", "--run", str(folder), "--split", "dev", "--k", "3", "--json"])
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["phrase"], second["phrase"]) == ("not good", "the movie")
    assert [len(value["neighbours"]) for value in (first, second)] == [3, 3]


def test_neighbours_of_the_shipped_runs(capsys):
    cli.main(["neighbours", "the movie", "--split", "test", "--run", "phrases"])
    assert "  this movie  (" in capsys.readouterr().out
    cli.main(["neighbours", "the movie", "--split", "dev"])
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("the movie  (")
    assert sum("movie" in line or "film" in line for line in others) > len(others) / 2
    with pytest.raises(SystemExit):
        cli.main(["neighbours"])
    assert "Expected one phrase or more" in capsys.readouterr().err
