"""A problem with three actions, its encoder, corpus, reward and baseline, installed from another distribution.

Everything else comes from the package: environments, agents, trainer, evaluation, segmentation and report.
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3

import hs_env
from hs_env import cli
from hs_env.agents import ESTIMATORS, Reinforce, ReinforceParameters, baselines_for
from hs_env.corpora import load_corpus
from hs_env.envs import check_vector_env
from hs_env.errors import HsEnvError
from hs_env.evaluation import compare
from hs_env.models import MODELS, check_encoder
from hs_env.problems import PROBLEMS
from hs_env.training import TrainConfig, train
from hs_env.training.data import TrainingData

ID = "hs_env/ClauseSigns-v0"
SMALL = {
    "corpus": "clauses",
    "vectors": "random:8",
    "model": "signed_sum",
    "model_parameters": {"hidden_size": 12, "dropout": 0.0, "word_dropout": 0.0},
    "agent_parameters": {"learning_rate": 2e-2, "samples": 4},
    "learning_rate": 2e-2,
    "batch_size": 16,
    "tau": 0.2,
    "warm_epochs": 2,
    "pnet_epochs": 3,
    "joint_epochs": 1,
    "threads": 1,
}


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory):
    """Install the distribution where this process finds it."""
    source, target = tmp_path_factory.mktemp("source") / "src", tmp_path_factory.mktemp("site")
    shutil.copytree(Path(__file__).parent / "src", source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(target)
        importlib.reload(hs_env)  # which registers the environments of what is installed
        yield
    gymnasium.registry.pop(ID)
    for name in [name for name in sys.modules if name.partition(".")[0] == "clause_signs"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def run(installed, tmp_path_factory):
    return train(TrainConfig(**SMALL), tmp_path_factory.mktemp("runs") / "reinforce")


def test_it_is_found_by_name(run):
    assert {"clause_signs.v0", "phrase_segmentation.v0"} <= set(PROBLEMS)
    problem = PROBLEMS.get("clause_signs")
    assert baselines_for(problem) == ["random.v1", "signs_of_not.v1"]
    corpus = load_corpus("clauses:train=20")
    assert problem.first_fault([sentence.gold_actions for sentence in corpus.splits["train"]]) is None
    assert ID in (gymnasium.make(ID, classifier=str(run.folder)).unwrapped.__doc__ or "")


def test_a_problem_with_a_bad_name_does_not_break_the_import(tmp_path, monkeypatch):
    info = tmp_path / "odd-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hs_env.problems]\nodd name! = nowhere:X\nodd.v0 = nowhere:X\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.reload(hs_env)
    with pytest.raises(HsEnvError, match=r"odd\.v0.* of the distribution 'odd' cannot be loaded"):
        gymnasium.make("hs_env/Odd-v0")
    gymnasium.registry.pop("hs_env/Odd-v0")


def test_the_encoder_keeps_the_contract(run):
    check_encoder(MODELS.get("signed_sum")(30, 2, 5, 6))
    check_encoder(run.classifier.model)


def test_all_checkers_pass(run):
    arguments = {"classifier": str(run.folder)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(ID, **arguments).unwrapped)
        check_env_for_sb3(gymnasium.make(ID, **arguments).unwrapped)
    for mode in AutoresetMode:
        native = gymnasium.make_vec(ID, num_envs=3, autoreset_mode=mode, **arguments)
        check_vector_env(native, SyncVectorEnv([lambda: gymnasium.make(ID, **arguments)] * 3, autoreset_mode=mode))


def test_an_episode(run):
    env = gymnasium.make(ID, classifier=str(run.folder), render_mode="ansi")
    assert env.action_space == gymnasium.spaces.Discrete(3)
    _, info = env.reset(options={"text": "not a good film a bad plot", "label": "negative"})
    for action in (0, 0, 0, 2, 0, 0):
        assert info["action_mask"].tolist() == [1, 1, 1]
        _, reward, finished, _, info = env.step(action)
        assert (reward, finished) == (0, False)
    assert info["action_mask"].tolist() == [0, 1, 1]
    _, reward, finished, _, info = env.step(0)  # not legal: taken as the nearest, ADD
    assert finished
    assert info["clauses"] == ("not a good film", "a bad plot")
    assert info["num_clauses"] == 2
    assert info["reward_terms"]["clauses"] == pytest.approx(-0.02)
    assert reward == pytest.approx(sum(info["reward_terms"].values()))
    assert "not a good film" in env.render()


def test_the_trainer_learns_it_and_evaluation_shows_its_columns(run):
    comparison = compare(run, "test", oracle=8)
    rows = {row.name: row for row in comparison.rows}
    assert {"signed sum", "plain LSTM", "signs_of_not", "random", "oracle"} == set(rows)
    epochs = json.loads((run.folder / "history.json").read_text())["epochs"]
    warm, pnet = ([epoch for epoch in epochs if epoch["stage"] == stage] for stage in ("warm", "pnet"))
    assert warm[-1]["accuracy"] == 1  # under its own baseline
    assert max(epoch["reward"] for epoch in pnet) > pnet[0]["reward"] + 0.5
    assert rows["oracle"].intervals["log_likelihood"].value > rows["signed sum"].intervals["log_likelihood"].value
    gold = [sentence.gold_actions for sentence in load_corpus("clauses").splits["test"]]
    expected = np.mean([sum(action != 0 for action in actions) for actions in gold])
    assert rows["signs_of_not"].intervals["clauses_per_sentence"].value == pytest.approx(expected)
    assert "Clauses subtracted %" in comparison.headings


def test_ppo_is_a_p_net_for_it(installed, tmp_path):
    ppo = {"agent": "ppo", "agent_parameters": {"slots": 16, "steps": 32, "n_epochs": 2}}
    short = {"corpus": "clauses:train=64", "warm_epochs": 1, "pnet_epochs": 1, "joint_epochs": 1}
    config = TrainConfig(**SMALL | short | ppo)
    trained = train(config, tmp_path / "ppo")
    assert trained.agent.policy.action_space.n == 3
    again = train(config, tmp_path / "again")
    for one, other in zip(trained.agent.policy.parameters(), again.agent.policy.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", ["arm", "disarm", "rebar", "relax", "st_hard"])
def test_estimators_for_two_actions_say_so(name):
    problem = PROBLEMS.get("clause_signs")
    with pytest.raises(HsEnvError, match=r"between two actions, and clause signs has 3\. Choose 'rloo'"):
        Reinforce(4, problem, ReinforceParameters(estimator=name))
    assert ESTIMATORS.get(name).binary


def test_the_command_line(run, tmp_path, capsys):
    cli.main(["evaluate", str(run.folder), "--split", "dev", "--format", "csv"])
    assert "signs_of_not,same classifier,clauses_per_sentence" in capsys.readouterr().out
    cli.main(["segment", "not a good film a bad plot", "--run", str(run.folder), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert " ".join(said["clauses"]) == "not a good film a bad plot"
    assert said["actions"][-1] in ("ADD", "SUBTRACT")
    cli.main(["segment", "not a good film a bad plot", "--run", str(run.folder)])
    assert f": {said['actions'][-1]}]" in capsys.readouterr().out
    cli.main(["report", str(run.folder), "--out", str(tmp_path / "page.html")])
    assert "Clauses subtracted %" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_gold_actions_of_another_problem_are_not_used():
    """HS-LSTM reads the corpus of clauses, but its actions 2 are no actions of phrase segmentation."""
    kept = {
        model: TrainingData.load(TrainConfig(corpus="clauses", vectors="random:8", model=model).resolve())
        for model in ("signed_sum", "hs_lstm")
    }
    assert kept["signed_sum"].splits["train"].gold_actions.max() == 2
    assert kept["hs_lstm"].splits["train"].gold_actions is None
    with gymnasium.make("hs_env/PhraseSegmentation-v0", corpus="clauses", reward="boundary_f1") as env:
        _, info = env.reset(seed=0)
        for _ in range(info["length"] - 1):
            env.step(1)
        with pytest.raises(HsEnvError, match="gold"):
            env.step(1)
