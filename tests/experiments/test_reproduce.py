"""`hs-env reproduce`: a grid from its file to the ledger, and from there to tables."""

from __future__ import annotations

import importlib
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hs_env import cli
from hs_env.errors import HsEnvError
from hs_env.experiments.grid import load_grid
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.reproduction import choose_cells, provide_data, with_vectors
from hs_env.experiments.runner import RESULT, Ended, run_here
from tests.training.stopped import stop_at_update

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
GRID = """
[settings]
vectors = "random:6"
model_parameters.hidden_size = 8
batch_size = 16
warm_epochs = 1
joint_epochs = 1
checkpoint_seconds = 0
[corpora."phrases:train=48,dev=20,test=20"]
seeds = 1
[variants.plain_lstm]
model = "plain_lstm"
[variants.broken]
vectors = "nowhere.txt"
"""
KILLED = Ended(None, "was killed by signal 9", killed=True)


@pytest.fixture
def grid(tmp_path: Path) -> list[str]:
    (tmp_path / "grid.toml").write_text(GRID)
    return ["sweep", str(tmp_path / "grid.toml"), "--out", str(tmp_path / "out")]


@pytest.mark.slow
def test_a_failed_run_is_named_and_the_others_go_on(grid, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr("hs_env.experiments.reproduction.provide_data", lambda *_: None)
    ledger = Ledger(tmp_path / "out" / "ledger.jsonl")
    with pytest.raises(SystemExit):
        cli.main([*grid, "--jobs", "2"])
    broken, plain = sorted(ledger.entries(), key=lambda entry: entry["key"])
    assert "broken" in broken["key"]
    assert "There is no file of word vectors 'nowhere.txt'" in broken["error"]
    assert plain["variant"] == "plain_lstm"
    assert plain["cpu_seconds"] > 0
    shown = capsys.readouterr()
    told = " ".join(shown.err.split())
    assert "it is tried once more" not in told  # it would fail for the same reason
    assert re.search(r"1/2 \S+ (took|failed)\b.*, about \d+ s left 2/2", told)
    assert "1 runs have no result" in told
    assert "| plain_lstm | 1 † | **" in shown.out
    # What failed is tried again, and nothing else; a kill is no failure.
    monkeypatch.setattr("hs_env.experiments.runner.launch_here", lambda *_: KILLED)
    with pytest.raises(SystemExit):
        cli.main([*grid, "--jobs", "1"])
    shown = capsys.readouterr().err
    assert "1 runs to do, 1 at a time; 1 are done" in shown
    assert f"{broken['key']} was killed by signal 9" in shown
    assert len(ledger.entries()) == 2
    cli.main([*grid, "--runs", "0", "--figures"])
    lines = capsys.readouterr().out.splitlines()
    assert [Path(line).stem for line in lines if line.endswith(".svg")] == ["accuracy", "curves"]


def test_a_run_that_was_stopped_goes_on_to_the_same_result(grid, tmp_path, monkeypatch):
    config = next(cell.config for cell in load_grid(tmp_path / "grid.toml") if cell.variant == "plain_lstm")
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    first = run_here(config, whole)
    updates = stop_at_update(5, monkeypatch)  # of 6
    with pytest.raises(KeyboardInterrupt):
        run_here(config, stopped)
    assert not (stopped / RESULT).exists()
    second = run_here(config, stopped)
    assert len(updates) == 7
    assert run_here(config, stopped) == second  # there is a result: nothing is done
    assert (first["test"], first["dev"]) == (second["test"], second["dev"])
    assert [len(entry["record"]) for entry in (first, second)] == [1, 2]


def test_a_table_is_not_overwritten_by_an_empty_one(grid, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "table.md").write_text("of another grid")
    for ledger, message in ((None, "holds no result, and none"), ({"key": "old"}, "holds 1 results of other conf")):
        if ledger is not None:
            Ledger(out / "ledger.jsonl").append(ledger)
        with pytest.raises(SystemExit):
            cli.main([*grid, "--runs", "0"])
        assert message in " ".join(capsys.readouterr().err.split())
    assert (out / "table.md").read_text() == "of another grid"


def test_what_is_wanted_can_be_named(grid, tmp_path, monkeypatch, capsys):
    (tmp_path / "grid.toml").write_text(GRID.replace("seeds = 1", "seeds = 4"))
    asked = []

    def launch(config, folder, stopped):
        asked.append(config.seed)
        return KILLED

    monkeypatch.setattr("hs_env.experiments.runner.launch_here", launch)
    with pytest.raises(SystemExit):
        cli.main([*grid, "--model", "plain_lstm", "--runs", "2", "--jobs", "1"])
    assert "2 runs to do, 1 at a time; 0 are done" in capsys.readouterr().err
    assert sorted(asked) == [0, 0, 1, 1]  # a killed one is tried twice
    cells = load_grid(tmp_path / "grid.toml")
    assert {cell.config.vectors for cell in with_vectors(cells, "random:8")} == {"random:8"}
    for corpora, variants, hint in ((["mr"], [], "Known: phrases"), ([], ["plain_lstn"], "Did you mean 'plain_lstm'")):
        with pytest.raises(HsEnvError, match=f"of the grid .*{hint}"):
            choose_cells(cells, corpora, variants)


def test_what_is_missing_is_fetched_before_anything_runs(tmp_path, monkeypatch):
    asked = []

    def prepare(out, sets, console):
        asked.append(sets)
        (out / sets[0]).mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr("hs_env.experiments.reproduction.prepare", prepare)
    text = GRID.replace('"phrases:train=48,dev=20,test=20"', "sst2_trees").replace("nowhere.txt", "random:9")
    (tmp_path / "grid.toml").write_text(text + "[corpora.movie_reviews]\nseeds = 1\n")
    cells = load_grid(tmp_path / "grid.toml", tmp_path / "data")
    provide_data(cells, tmp_path / "data", None)
    provide_data(cells, tmp_path / "data", None)
    assert asked == [["sst"], ["sst"]]  # the first one was stopped before its last file
    (tmp_path / "data" / "sst" / "sst2.test.jsonl.gz").touch()
    provide_data([replace(cell, corpus="sst5_phrases.v1:fold=1") for cell in cells], tmp_path / "data", None)
    assert asked == [["sst"], ["sst"]]
    provide_data([replace(cell, corpus="mr.v1") for cell in cells], tmp_path / "data", None)
    assert asked[2:] == [["mr"]]
    with pytest.raises(HsEnvError, match=r"'nowhere\.npz'.*With --vectors glove-6b-50d"):
        provide_data(with_vectors(cells, "nowhere.npz"), tmp_path / "data", None)


def test_the_published_results_make_the_published_table(tmp_path, capsys):
    """Which was made before their ledger was converted."""
    shutil.copyfile(RESULTS / "ledger.jsonl", tmp_path / "ledger.jsonl")
    cli.main(["reproduce", "--runs", "0", "--out", str(tmp_path)])
    assert (tmp_path / "table.csv").read_bytes() == (RESULTS / "table.csv").read_bytes()
    assert capsys.readouterr().out.count("\n| ") > 80
    cli.main(["reproduce", "mr", "--model", "hs_lstm", "--runs", "0", "--out", str(tmp_path)])
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| hs_lstm")]
    assert " 82.1 " in row  # the published accuracy, beside ours
    assert (tmp_path / "table.csv").read_bytes() == (RESULTS / "table.csv").read_bytes()


def test_the_pages_have_the_tables_of_the_ledger(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    script, marked = importlib.import_module("publish_results"), importlib.import_module("marks").marked
    for name, tables in script.tables_of(Ledger(RESULTS / "ledger.jsonl").results()).items():
        page = (ROOT / "docs" / name).read_text(encoding="utf-8")
        for table, content in tables.items():
            assert marked(page, table, content) == page
    with pytest.raises(HsEnvError, match="marks of 'none' 0 times"):
        marked("", "none", "")


def test_a_published_result_has_no_paths_of_the_machine(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    clean = importlib.import_module("publish_results").without_paths
    command = ["/home/ann/hs_env/experiments/worker.py", "/home/ann/sweep/cells/mr-1"]
    config = {"data_dir": "/home/ann/data", "vectors": "/home/ann/data/vectors/a.npz+glove-6b-50d"}
    result = {"key": "mr-1", "config": config, "record": [{"command": command}]}
    assert clean(result, Path("/home/ann/sweep"), Path("/home/ann/data")) == {
        "key": "mr-1",
        "config": {"data_dir": None, "vectors": "vectors/a.npz+glove-6b-50d"},
        "record": [{"command": ["hs_env/experiments/worker.py", "runs/cells/mr-1"]}],
    }


def test_the_results_on_corpora_never_tuned_on_make_their_table(tmp_path, capsys):
    shutil.copyfile(RESULTS / "never_tuned.jsonl", tmp_path / "ledger.jsonl")
    cli.main(["reproduce", "trec", "cr", "mpqa", "--runs", "0", "--out", str(tmp_path)])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    published = (ROOT / "docs" / "never_tuned.md").read_text(encoding="utf-8").splitlines()
    assert any(" 93.6 " in row for row in rows)  # the published accuracy, beside ours
    assert set(rows) <= set(published)


def test_the_power_of_the_published_comparison(tmp_path, capsys):
    shutil.copyfile(RESULTS / "ledger.jsonl", tmp_path / "ledger.jsonl")

    def powers(*arguments):
        cli.main(["reproduce", "--runs", "0", "--power", "--out", str(tmp_path), *arguments])
        table = capsys.readouterr().out.partition("Pairs for 1 point |\n")[2]
        return table.strip().splitlines()[1:]

    corpora = {"mr": 10, "subj": 10, "sst2_trees": 5, "sst5_trees": 5, "ag_news:train=8000": 5}
    assert [line.split(" | ")[:3] for line in powers("--model", "hs_lstm")] == [
        [f"| {corpus}", "1", str(pairs)] for corpus, pairs in corpora.items()
    ]
