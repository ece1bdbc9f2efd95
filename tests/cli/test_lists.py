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
