"""`scripts/reproduce.py`: a grid from its file to the ledger, and from there to tables."""

from __future__ import annotations

import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from hs_env.experiments.grid import load_grid
from hs_env.experiments.ledger import Ledger
from hs_env.training.classifier import ClassifierOptimizer

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


@pytest.fixture
def script():
    return runpy.run_path(str(ROOT / "scripts" / "reproduce.py"))["main"]


@pytest.fixture
def grid(tmp_path: Path) -> list[str]:
    (tmp_path / "grid.toml").write_text(GRID)
    return ["--grid", str(tmp_path / "grid.toml"), "--out", str(tmp_path / "out")]


@pytest.mark.slow
def test_a_failed_job_is_named_and_the_others_go_on(script, grid, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    ledger = Ledger(tmp_path / "out" / "ledger.jsonl")
    script(["run", *grid, "--cores", "2"])
    broken, plain = sorted(ledger.entries(), key=lambda entry: entry["key"])
    assert "broken" in broken["key"]
    assert "There is no file of word vectors 'nowhere.txt'" in broken["error"]
    assert plain["variant"] == "plain_lstm"
    assert plain["cpu_seconds"] > 0
    capsys.readouterr()
    # What failed is tried again, and nothing else; a kill is no failure.
    monkeypatch.setattr(subprocess, "run", lambda command, **more: subprocess.CompletedProcess(command, -9))
    script(["run", *grid, "--cores", "1"])
    shown = capsys.readouterr().err
    assert "1 cells to run, 1 at a time; 1 are done" in shown
    assert f"{broken['key']} was killed by signal 9" in shown
    assert len(ledger.entries()) == 2
    script(["table", *grid])
    assert "| plain_lstm | 1 † | **" in capsys.readouterr().out
    script(["figures", *grid])
    assert [Path(line).stem for line in capsys.readouterr().out.split()] == ["accuracy", "curves"]


def test_a_job_that_was_stopped_goes_on_to_the_same_result(script, grid, tmp_path, monkeypatch):
    key = next(cell.key for cell in load_grid(tmp_path / "grid.toml") if cell.variant == "plain_lstm")
    script(["cell", key, *grid])
    stopped = ["--grid", grid[1], "--out", str(tmp_path / "stopped")]
    count, update = 0, ClassifierOptimizer.update

    def interrupted(self, *arguments):
        nonlocal count
        count += 1
        if count == 5:  # of 6
            raise KeyboardInterrupt
        return update(self, *arguments)

    monkeypatch.setattr(ClassifierOptimizer, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        script(["cell", key, *stopped])
    assert Ledger(tmp_path / "stopped" / "ledger.jsonl").entries() == []
    script(["cell", key, *stopped])
    assert count == 7
    script(["cell", key, *stopped])  # there is a result: nothing is done
    one, two = (Ledger(tmp_path / out / "ledger.jsonl").entries() for out in ("out", "stopped"))
    assert len(one) == len(two) == 1
    assert (one[0]["test"], one[0]["dev"]) == (two[0]["test"], two[0]["dev"])
    assert [len(entry["record"]) for entry in (one[0], two[0])] == [1, 2]


def test_a_cell_that_the_grid_has_not_is_refused(script, grid):
    with pytest.raises(SystemExit, match="has no cell 'nothing'"):
        script(["cell", "nothing", *grid])


def test_what_is_wanted_can_be_named(script, grid, tmp_path, monkeypatch, capsys):
    more = GRID.replace("seeds = 1", "seeds = 4")
    (tmp_path / "grid.toml").write_text(more)
    asked: list[str] = []

    def run(command, **_):
        asked.append(command[3])
        return subprocess.CompletedProcess(command, -9)

    monkeypatch.setattr(subprocess, "run", run)
    script(["run", *grid, "--variants", "plain_lstm", "--runs", "2", "--cores", "1"])
    assert "2 cells to run, 1 at a time; 0 are done" in capsys.readouterr().err
    wanted = {
        cell.key for cell in load_grid(tmp_path / "grid.toml") if cell.variant == "plain_lstm" and cell.number < 2
    }
    assert set(asked) == wanted


def test_the_published_results_make_the_published_table(script, tmp_path, capsys):
    """Which was made before their ledger was converted."""
    shutil.copyfile(RESULTS / "ledger.jsonl", tmp_path / "ledger.jsonl")
    script(["table", "--out", str(tmp_path)])
    assert (tmp_path / "table.csv").read_bytes() == (RESULTS / "table.csv").read_bytes()
    published = (ROOT / "docs" / "results.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert len(rows) == 77
    assert set(rows) <= set(published)


def test_an_old_ledger_is_converted(script, tmp_path, capsys):
    """Under any other keys the grid does not find its results; converted, the file is that of the repository."""
    ledger = tmp_path / "ledger.jsonl"
    whole = (RESULTS / "gaps.jsonl").read_text(encoding="utf-8")
    old = "".join(line.replace('{"key": "', '{"key": "old-') for line in whole.splitlines(keepends=True))
    ledger.write_text(old, encoding="utf-8")
    script(["convert", str(ledger)])
    assert "57 entries" in capsys.readouterr().out
    assert ledger.read_text(encoding="utf-8") == whole
    assert (tmp_path / "ledger.jsonl.bak").read_text(encoding="utf-8") == old
    script(["convert", str(ledger)])
    assert "0 entries" in capsys.readouterr().out
    assert (tmp_path / "ledger.jsonl.bak").read_text(encoding="utf-8") == old
    with pytest.raises(SystemExit, match=r"There is no ledger .*nowhere"):
        script(["convert", str(tmp_path / "nowhere")])


def test_the_power_of_the_published_comparison(script, capsys):
    script(["power", "--out", str(RESULTS), "--variants", "hs_lstm"])
    lines = capsys.readouterr().out.strip().splitlines()
    assert [line.split(" | ")[:3] for line in lines[2:]] == [
        [f"| {corpus}", "1", "3"] for corpus in ("mr", "subj", "sst2_trees", "sst5_trees", "ag_news:train=8000")
    ]
    script(["power", "--out", str(RESULTS)])
    table, page = capsys.readouterr().out, (ROOT / "docs" / "structure.md").read_text("utf-8")
    for line in table.strip().splitlines()[2:]:  # the page calls two corpora by other names
        assert line.split(" | ", 1)[1] in page
