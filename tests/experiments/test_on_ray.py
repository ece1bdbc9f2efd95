"""`hs-env sweep --engine ray` on a real cluster of two nodes on this machine, one of which dies."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from hs_env import cli
from hs_env.experiments.grid import load_grid
from hs_env.experiments.ledger import Ledger
from hs_env.experiments.runner import run_cells

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif("not __import__('importlib').util.find_spec('ray')", reason="ray not installed: `make interop`"),
]

ROOT = Path(__file__).parents[2]
GRID = """
[settings]
vectors = "random:6"
model_parameters.hidden_size = 8
batch_size = 4
warm_epochs = 4
joint_epochs = 1
checkpoint_seconds = 0.2
[corpora."phrases:train=400,dev=20,test=20"]
seeds = 3
[variants.plain_lstm]
model = "plain_lstm"
"""
BROKEN = """[variants.broken]
corpora = ["phrases:train=400,dev=20,test=20"]
agent = "fixed"
warm_start = "gold"
reward = "nowhere:none"
"""


@pytest.fixture
def cluster(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of the nodes, whose processes begin now
    monkeypatch.setenv("RAY_worker_niceness", "0")  # it is 15 by default
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        yield made
    finally:
        made.shutdown()


def scores(ledger: Ledger) -> dict[str, tuple[object, object]]:
    return {key: (result["dev"], result["test"]) for key, result in ledger.results().items()}


def test_a_node_dies_and_nothing_is_lost_or_done_twice(cluster, tmp_path, capsys):
    doomed = cluster.add_node(num_cpus=1)
    (tmp_path / "grid.toml").write_text(GRID)
    out = tmp_path / "out"
    sweep = ["sweep", str(tmp_path / "grid.toml"), "--out", str(out), "--engine", "ray", "--address", cluster.address]

    def kill() -> None:
        """Kill the second node when both train."""
        while len(list(out.glob("cells/*/checkpoint.safetensors"))) < 2:
            time.sleep(0.05)
        cluster.remove_node(doomed, allow_graceful=False)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    cli.main(sweep)
    assert not killer.is_alive()
    ledger, cells = Ledger(out / "ledger.jsonl"), load_grid(tmp_path / "grid.toml")
    assert sorted(entry["key"] for entry in ledger.entries()) == sorted(cell.key for cell in cells)
    processes = [len(entry["record"]) for entry in ledger.entries()]
    assert max(processes) == 2  # the run on the dead node has continued on the other one
    assert sum(processes) == len(cells) + 1
    assert "3 runs to do, 2 at a time" in capsys.readouterr().err
    cli.main(sweep)
    assert "0 runs to do" in capsys.readouterr().err
    here = Ledger(tmp_path / "here" / "ledger.jsonl")
    assert run_cells(cells, here, lambda cell: tmp_path / "here" / cell.key, 2, Console(quiet=True)) == []
    assert scores(here) == scores(ledger)  # bit for bit


def test_a_failed_run_is_told_and_the_others_go_on(cluster, tmp_path, capsys):
    (tmp_path / "grid.toml").write_text(GRID.replace("seeds = 3", "seeds = 1") + BROKEN)
    out = tmp_path / "out"
    with pytest.raises(SystemExit):
        cli.main(["sweep", str(tmp_path / "grid.toml"), "--out", str(out), "--engine", "ray", "--jobs", "2"])
    told = " ".join(capsys.readouterr().err.split())
    assert told.count("it is tried once more") == 1
    assert "1 runs have no result" in told
    broken, plain = sorted(Ledger(out / "ledger.jsonl").entries(), key=lambda entry: entry["key"])
    assert "'nowhere:none' cannot be loaded" in broken["error"]
    assert "'nowhere:none' cannot be loaded" in Path(broken["log"]).read_text()
    assert plain["variant"] == "plain_lstm"


def test_there_must_be_a_cluster_at_the_address(tmp_path, capsys):
    (tmp_path / "grid.toml").write_text(GRID)
    options = ["--out", str(tmp_path / "out"), "--engine", "ray", "--address", "127.0.0.1:1"]
    with pytest.raises(SystemExit):
        cli.main(["sweep", str(tmp_path / "grid.toml"), *options])
    assert "There is no Ray cluster at 127.0.0.1:1" in " ".join(capsys.readouterr().err.split())
