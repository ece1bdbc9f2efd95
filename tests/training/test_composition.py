"""Composition: a small Tree-LSTM learns on gold trees, and a P-Net to build trees; Stable-Baselines3 does too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hs_env.agents import make_baseline
from hs_env.metrics import collect, values_of
from hs_env.metrics.scores import greedy_episodes
from hs_env.models import TreeLSTM
from hs_env.problems.composition import COMPOSITION
from hs_env.training import TrainConfig, train

QUIET = Console(quiet=True)
GOLD = TrainConfig(
    corpus="listops:depth=2,longest=9,test_shortest=4,digits=2,arguments=3,train=400,dev=60,test=60",
    vectors="random:12",
    model="tree_lstm",
    model_parameters={"hidden_size": 16, "dropout": 0.0, "word_dropout": 0.0},
    agent="fixed",
    warm_start="gold",
    batch_size=8,
    learning_rate=1e-2,
    tau=0.2,
    warm_epochs=8,
    patience=8,
    joint_epochs=0,
    threads=1,
)


def test_gold_trees_are_learned(tmp_path: Path) -> None:
    run = train(GOLD, tmp_path / "run", QUIET)
    encoder, data = run.classifier.model, run.data()
    assert isinstance(encoder, TreeLSTM)
    scores = {
        name: values_of(collect(greedy_episodes(encoder, agent, data.splits["test"]), encoder.problem))
        for name, agent in {"fixed": run.agent, "random": make_baseline("random", data.vocabulary, COMPOSITION)}.items()
    }
    assert scores["fixed"]["accuracy"] > 0.85 > scores["random"]["accuracy"]
    assert scores["fixed"]["tree_f1"] == scores["fixed"]["mean_tree_f1"] == 1.0
    assert scores["random"]["tree_f1"] < 0.9


@pytest.mark.parametrize(
    ("agent", "parameters"),
    [
        ("reinforce", {"samples": 3}),
        ("reinforce", {"samples": 2, "estimator": "st_gumbel"}),
        ("ppo", {"slots": 4, "steps": 8}),
        ("maskable_ppo", {"slots": 4, "steps": 8}),
    ],
)
def test_agents_train_jointly(tmp_path: Path, agent: str, parameters: dict[str, int | str]) -> None:
    """By default without gold trees."""
    if agent == "maskable_ppo":
        pytest.importorskip("sb3_contrib")
    config = replace(GOLD, agent=agent, agent_parameters=parameters, warm_start=None, warm_epochs=None, joint_epochs=1)
    run = train(replace(config, corpus=config.corpus.replace("train=400", "train=48")), tmp_path / "run", QUIET)
    assert run.config.warm_start == "random"
    assert run.classifier_updates == {"warm": 6, "joint": 6}
