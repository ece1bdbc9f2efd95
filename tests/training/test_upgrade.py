"""Runs of version 0.1, whose configurations had a field for each parameter of each model and agent."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from hs_env.agents import FixedPolicy, LogitPolicy, SB3Agent
from hs_env.errors import HsEnvError
from hs_env.metrics.scores import greedy_episodes
from hs_env.models import HSLSTM, MODELS
from hs_env.storage import load_state, save_state
from hs_env.training import Run, TrainConfig, train, train_or_resume
from hs_env.training.config import ResolvedConfig
from hs_env.training.upgrade import LATER

QUIET = Console(quiet=True)
OLD: dict[str, Any] = {
    "corpus": "phrases:train=40,dev=20,test=20",
    "data_dir": None,
    "vectors": "random:6",
    "encoder_rate": 0.0,
    "model": "hs_lstm",
    "hidden_size": 10,
    "dropout": 0.5,
    "word_dropout": 0.1,
    "structure": "function_words",
    "reward": "hs_lstm",
    "reward_parameters": {},
    "agent": "reinforce",
    "estimator": "rloo",
    "reinforce": {
        "samples": 3, "learning_rate": 0.005, "entropy_bonus": 0.01, "hidden_size": 64, "clip_norm": 5.0,
    },
    "reward_dropout": False,
    "sb3": {"slots": 64, "steps": 128, "samples": 5, "parameters": {}, "shaping": False, "zip": False},
    "batch_size": 16,
    "learning_rate": 0.002,
    "joint_learning_rate": 0.0005,
    "tau": 0.02,
    "weight_decay": 0.0,
    "clip_norm": 5.0,
    "warm_epochs": 1,
    "pnet_epochs": 1,
    "joint_epochs": 1,
    "patience": 3,
    "seed": 0,
    "slope_per_epoch": 0.04,
    "threads": 1,
    "checkpoint_seconds": 60.0,
}  # fmt: skip
"""What version 0.1 wrote into the config.json of an HS-LSTM."""
ID_LSTM = OLD | {
    "model": "id_lstm",
    "structure": "all_retain",
    "reward": "log_likelihood + deletion_rate(target=0.15, weight=0.12, rate=0.0005)",
    "agent": "ppo",
    "reinforce": OLD["reinforce"] | {"learning_rate": 0.001},
    "sb3": OLD["sb3"] | {"slots": 8, "steps": 16, "parameters": {"n_epochs": 1}},
    "joint_learning_rate": 0.0001,
}
NEW = TrainConfig(
    corpus="phrases:train=40,dev=20,test=20",
    vectors="random:6",
    model_parameters={"hidden_size": 10, "dropout": 0.5, "word_dropout": 0.1},
    agent_parameters={"samples": 3},
    batch_size=16,
    warm_epochs=1,
    joint_epochs=1,
    threads=1,
)


def changed(**values: Any) -> TrainConfig:
    """`NEW` with other fields."""
    return TrainConfig(**{name: getattr(NEW, name) for name in (each.name for each in fields(NEW))} | values)


CASES = {
    "hs_lstm": (OLD, NEW),
    "st_hard": (OLD | {"estimator": "st_hard"}, changed(agent_parameters={"samples": 3, "estimator": "st_hard"})),
    "id_lstm": (
        ID_LSTM,
        changed(
            model="id_lstm",
            agent="ppo",
            agent_parameters={"slots": 8, "steps": 16, "n_epochs": 1},
            reward_dropout=False,
            pnet_epochs=1,
        ),
    ),
    "fixed": (
        OLD | {"agent": "structure", "structure": "every_k"},
        changed(agent="fixed", agent_parameters={}, warm_start="every_k"),
    ),
    "cnn": (OLD | {"model": "cnn", "structure": None, "reward": None}, changed(model="cnn", agent_parameters={})),
    "hm_lstm": (
        OLD | {"model": "hm_lstm", "structure": None, "reward": None, "slope_per_epoch": 0.1},
        changed(
            model="hm_lstm", agent_parameters={}, model_parameters={**NEW.model_parameters, "slope_per_epoch": 0.1}
        ),
    ),
    "before reward_dropout, weight_decay and encoder_rate": (
        {name: OLD[name] for name in OLD if name not in LATER},
        NEW,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_old_configuration_is_that_of_today(name: str) -> None:
    old, new = CASES[name]
    config = ResolvedConfig.from_json(json.loads(json.dumps(old)))
    assert config == new.resolve()
    assert ResolvedConfig.from_json(config.to_json()) == config


class Own(HSLSTM):
    """An encoder of another distribution."""


def test_an_encoder_of_another_distribution_keeps_its_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODELS, "_entries", {**MODELS._entries, "own.v1": Own})
    assert ResolvedConfig.from_json(OLD | {"model": "own"}) == changed(model="own").resolve()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hiden_size": 3}, "not the configuration of a run: .*hiden_size"),
        ({"hidden_size": 0}, "hidden_size must be"),
        ({"estimator": "rlo"}, "Did you mean 'rloo"),
        ({"reinforce": {"samples": 1}}, "it needs 2 or more"),
    ],
)
def test_faults_in_old_configurations_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        ResolvedConfig.from_json(OLD | values)
    incomplete = {name: value for name, value in OLD.items() if name != "sb3"}
    with pytest.raises(HsEnvError, match="not the configuration of a run: 'sb3'"):
        ResolvedConfig.from_json(incomplete | {"agent": "ppo"})


def old_agent(state: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """The state of an agent as version 0.1 saved it."""
    if state["agent"] == "reinforce.v1":
        return {
            "agent": "reinforce.v1",
            "state_size": state["state_size"],
            "config": old["reinforce"],
            "pnet": state["pnet"],
        }
    if state["agent"] == "fixed.v1":
        return {"agent": "structure.v1", "structure": state["policy"], "words": state["words"]}
    return {name: value for name, value in state.items() if name != "num_actions"}


@pytest.mark.parametrize(
    ("name", "kind"), [("hs_lstm", LogitPolicy), ("id_lstm", SB3Agent), ("fixed", FixedPolicy), ("cnn", type(None))]
)
def test_an_old_run_is_loaded_and_decides_alike(name: str, kind: type, tmp_path: Path) -> None:
    old, new = CASES[name]
    run = train(new, tmp_path / "new", QUIET)
    folder = Path(shutil.copytree(run.folder, tmp_path / "old"))
    (folder / "config.json").write_text(json.dumps(old))
    if run.agent is not None:
        state = load_state(folder / "agent.safetensors", "agent")
        save_state(folder / "agent.safetensors", "agent", old_agent(state, old))
    loaded = train_or_resume(new, folder, QUIET)
    assert loaded.config == run.config
    assert type(loaded.agent) is kind
    if run.agent is not None:
        split = run.data("test").splits["test"]
        pairs = (greedy_episodes(each.classifier.model, each.agent, split) for each in (Run.load(folder), run))
        for one, two in zip(*pairs, strict=True):
            assert torch.equal(one.actions, two.actions)
            assert torch.equal(one.log_probs, two.log_probs)
