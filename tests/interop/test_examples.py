"""The examples for RL libraries, with few steps. Those of libraries that are extras run by `make interop`."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import inspect
import math
import sys
from pathlib import Path
from types import ModuleType

import gymnasium
import numpy as np
import pytest
import torch

import hs_env

EXAMPLES = Path(__file__).parents[2] / "scripts" / "examples"
ID = "hs_env/PhraseSegmentation-v0"

gymnasium.register_envs(hs_env)


def needs(*modules: str) -> pytest.MarkDecorator:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed: `make interop`")


@pytest.fixture(autouse=True)
def _examples_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a run from the command line; and the examples' number of threads does not outlast them."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)


def example(name: str) -> ModuleType:
    return importlib.import_module(name)


def check(scores: dict[str, float], capsys: pytest.CaptureFixture[str]) -> None:
    assert list(scores) == ["random", "before", "after"]
    assert all(map(math.isfinite, scores.values()))
    assert scores["after"] != scores["before"]
    printed = ", ".join(f"{name} {score:+.3f}" for name, score in scores.items())
    assert capsys.readouterr().out.splitlines()[-1] == f"mean reward on the test split: {printed}"


def test_ppo_in_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    ppo = example("ppo")
    check(ppo.main(ppo.Config(total_steps=1024, num_envs=16, eval_sentences=50)), capsys)


def test_ppo_in_one_file_repeats_itself() -> None:
    ppo = example("ppo")
    config = ppo.Config(total_steps=512, num_envs=8, eval_sentences=20)
    # Not bit for bit: in one process, the same numbers may stand differently aligned in memory.
    assert ppo.main(config) == pytest.approx(ppo.main(config), abs=1e-4)


@pytest.mark.slow
def test_ppo_in_one_file_learns() -> None:
    ppo = example("ppo")
    scores = ppo.main(ppo.Config(total_steps=80_000))
    assert scores["after"] > scores["random"] + 1


@needs("sb3_contrib")
def test_stable_baselines(capsys: pytest.CaptureFixture[str]) -> None:
    check(example("sb3_maskable_ppo").main(steps=4096), capsys)


@pytest.mark.interop
@needs("torchrl")
def test_torchrl(capsys: pytest.CaptureFixture[str]) -> None:
    check(example("torchrl_ppo").main(steps=4096), capsys)


@pytest.mark.interop
@needs("ray")
def test_rllib(capsys: pytest.CaptureFixture[str]) -> None:
    check(example("rllib_ppo").main(steps=4096), capsys)


@pytest.mark.interop
@needs("tianshou")
def test_tianshou(capsys: pytest.CaptureFixture[str]) -> None:
    check(example("tianshou_ppo").main(steps=2048), capsys)


@pytest.mark.interop
@needs("skrl")
def test_skrl(capsys: pytest.CaptureFixture[str]) -> None:
    check(example("skrl_ppo").main(steps=8192), capsys)


@pytest.mark.interop
@needs("agilerl")
def test_agilerl(capsys: pytest.CaptureFixture[str]) -> None:
    check(example("agilerl_ppo").main(steps=4096), capsys)


@pytest.mark.slow
@pytest.mark.interop
@needs("optuna")
def test_rl_zoo3_brings_optuna() -> None:
    study = example("sb3_optuna").main(trials=2, steps=8192)
    assert len(study.trials) == 2
    assert len(study.trials[0].intermediate_values) == 4
    assert study.best_params.keys() == {"n_steps", "n_epochs", "learning_rate", "ent_coef"}


def test_the_yaml_of_rl_zoo3_has_arguments_of_the_algorithm() -> None:
    yaml = pytest.importorskip("yaml")
    kinds = yaml.safe_load((EXAMPLES / "rl_zoo3_ppo.yml").read_text(encoding="utf-8"))
    known = inspect.signature(importlib.import_module("stable_baselines3").PPO).parameters.keys()
    assert kinds.keys() == {name for name in gymnasium.registry if name.startswith("hs_env/")}
    for name, parameters in kinds.items():
        assert parameters.keys() <= known | {"n_envs", "n_timesteps"}
        assert parameters["gamma"] == (0.95 if name == "hs_env/Chunking-v0" else 1.0)


@pytest.mark.interop
@needs("rl_zoo3")
def test_rl_zoo3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    config = ["--conf-file", str(EXAMPLES / "rl_zoo3_ppo.yml"), "--log-folder", str(tmp_path), "--eval-freq", "-1"]
    options = ["--algo", "ppo", "--env", ID, "--gym-packages", "hs_env", "--n-timesteps", "4096", "--num-threads", "1"]
    monkeypatch.setattr(sys, "argv", ["train", *options, *config])
    importlib.import_module("rl_zoo3.train").train()
    assert "total_timesteps | 4096" in " ".join(capsys.readouterr().out.split())
    assert len(list(tmp_path.rglob("hs_env-PhraseSegmentation-v0.zip"))) == 1


# What docs/libraries.md says of them


def test_stable_baselines_refuses_a_vector_environment_of_gymnasium() -> None:
    """The message is its own, since it looks at the type before any of our code runs."""
    ppo = importlib.import_module("stable_baselines3").PPO
    with pytest.raises(ValueError, match=r"The environment is of type .*, not a Gymnasium environment"):
        ppo("MlpPolicy", gymnasium.make_vec(ID, 2))


@pytest.mark.interop
@needs("torchrl")
def test_torchrl_pairs_masks_with_observations() -> None:
    env = example("torchrl_ppo").make_env(0)
    data = env.rollout(50, break_when_any_done=False)
    assert data["next", "done"].sum() > 100
    last_word = ~data["action_mask"][..., 0]
    assert last_word.equal(data["next", "done"].squeeze(-1))


@pytest.mark.interop
@needs("torchrl")
def test_torchrl_refuses_next_step() -> None:
    wrapper = importlib.import_module("torchrl.envs").GymWrapper
    for mode in ("Disabled", "SameStep"):
        wrapper(gymnasium.make_vec(ID, 2, autoreset_mode=mode)).close()
    with pytest.raises(RuntimeError, match="must be one of SAME_STEP or DISABLED"):
        wrapper(gymnasium.make_vec(ID, 2))


@pytest.mark.interop
@needs("skrl")
def test_skrl_renders_unless_headless() -> None:
    wrap_env = importlib.import_module("skrl.envs.wrappers.torch").wrap_env
    with pytest.raises(AttributeError, match="has no attribute 'call'"):
        wrap_env(gymnasium.make_vec(ID, 2, autoreset_mode="SameStep")).render()


@pytest.mark.interop
@needs("agilerl")
@pytest.mark.parametrize(("use_gae", "reached"), [(True, False), (False, True)])
def test_agilerl_loses_the_last_reward_with_gae(use_gae: bool, reached: bool) -> None:
    """An episode of two steps with a reward of 1 at its end, and the first step of the next one."""
    kind = importlib.import_module("agilerl.components.rollout_buffer").RolloutBuffer
    env = gymnasium.make(ID)
    buffer = kind(3, env.observation_space, env.action_space, num_envs=1, gamma=1.0, gae_lambda=1.0, use_gae=use_gae)
    for reward, done in ((0.0, False), (1.0, True), (0.0, False)):
        observation, none = np.zeros((1, *env.observation_space.shape), np.float32), np.zeros(1)
        buffer.add(observation, none, np.full(1, reward), np.full(1, done), none, none, observation)
    buffer.compute_returns_and_advantages(np.zeros(1), np.zeros(1))
    assert bool(buffer.buffer["advantages"][0].item()) is reached


@pytest.mark.interop
@needs("ray")
@pytest.mark.parametrize(("mode", "whole"), [("NextStep", True), ("SameStep", False)])
def test_rllib_loses_a_word_unless_in_next_step(mode: str, whole: bool) -> None:
    config = importlib.import_module("ray.rllib.algorithms.ppo").PPOConfig()
    config.environment(f"hs_env:{ID}", env_config={"autoreset_mode": mode})
    config.env_runners(num_envs_per_env_runner=4, gym_env_vectorize_mode="vector_entry_point")
    runner = importlib.import_module("ray.rllib.env.single_agent_env_runner").SingleAgentEnvRunner(config=config)
    ended = [episode for episode in runner.sample(num_timesteps=400, random_actions=True) if episode.is_done]
    # The last infos hold the length of what was read: in SAME_STEP already that of the next sentence.
    lengths = [episode.get_infos(0)["length"] for episode in ended]
    assert len(ended) > 20
    assert (list(map(len, ended)) == lengths) is whole


@pytest.mark.interop
@needs("tianshou")
def test_tianshou_cannot_stack_phrases(monkeypatch: pytest.MonkeyPatch) -> None:
    tianshou_ppo = example("tianshou_ppo")
    monkeypatch.setattr(tianshou_ppo, "WithoutPhrases", lambda env: env)
    with pytest.raises(ValueError, match="could not broadcast input array"):
        tianshou_ppo.main(steps=2048)


def test_no_example_hides_a_library() -> None:
    """Run from its folder, an example named as a library would be imported in its place."""
    found = {path.stem for path in EXAMPLES.glob("*.py")}
    sys_path = [folder for folder in sys.path if folder != str(EXAMPLES)]
    assert [name for name in found if importlib.machinery.PathFinder.find_spec(name, sys_path)] == []
