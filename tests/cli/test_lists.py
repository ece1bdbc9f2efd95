"""`hs-env corpora`, `rewards`, `models` and `agents`."""

from __future__ import annotations

from hs_env import cli


def test_corpora(capsys):
    cli.main(["corpora"])
    assert {"movie_reviews", "phrases", "mr", "sst2"} <= set(capsys.readouterr().out.split())
    cli.main(["corpora", "phrases:train=20,dev=10,test=10"])
    assert "[" in capsys.readouterr().out


def test_rewards(capsys):
    cli.main(["rewards"])
    assert {"hs_lstm.v1", "boundary_f1.v1", "gamma=0.15"} <= set(capsys.readouterr().out.split())


def test_models(capsys):
    cli.main(["models"])
    shown = capsys.readouterr().out
    assert {"hs_lstm", "id_lstm", "cnn", "hidden_size", "slope_per_epoch"} <= set(shown.replace(",", "").split())


def test_agents(capsys):
    cli.main(["agents"])
    shown = capsys.readouterr().out
    assert {"reinforce", "maskable_ppo", "fixed", "estimator", "slots"} <= set(shown.replace(",", "").split())


def test_columns_of_an_own_file(capsys, tmp_path):
    rows = "".join(f"{1 + i % 3};text {i}\n" for i in range(30))
    (tmp_path / "r.csv").write_text(f"stars;the review, in full\n{rows}", encoding="utf-8")
    columns = [
        "--text-column",
        "the review, in full",
        "--label-column",
        "stars",
        "--label-names",
        "bad",
        "fair",
        "good",
    ]
    cli.main(["corpora", str(tmp_path / "r.csv"), *columns])
    shown = capsys.readouterr().out
    assert "r.csv is separated by semicolons" in shown
    assert "text 0  → bad" in shown
    assert [line.split() for line in shown.splitlines() if line.split()[:1] == ["good"]] == [["good", "8", "1", "1"]]
