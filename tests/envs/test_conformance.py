"""The environments inside Gymnasium and Stable-Baselines3: registration, checkers, wrappers, vector envs, PPO."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import RecordEpisodeStatistics

import hs_env
from hs_env.errors import HsEnvError
from hs_env.models import Classifier, shipped_runs
from tests.envs.builders import PHRASES, Problem

HEADINGS = [
    "Description",
    "Action Space",
    "Observation Space",
    "Rewards",
    "Starting State",
    "Episode End",
    "Information",
    "Arguments",
    "References",
    "Vectorized environment",
    "Version History",
]

gymnasium.register_envs(hs_env)


def make(problem: Problem, names: dict[str, Any], **more: Any) -> gymnasium.Env[Any, Any]:
    return gymnasium.make(problem.id, **names, **more)


# Checkers: not one warning is expected from either.


@pytest.mark.parametrize("render_mode", [None, "ansi", "rgb_array"])
def test_gymnasium_finds_no_fault(problem: Problem, names: dict[str, Any], render_mode: str | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(make(problem, names, render_mode=render_mode).unwrapped)


def test_stable_baselines_finds_no_fault(problem: Problem, names: dict[str, Any]) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(make(problem, names, render_mode="rgb_array").unwrapped, skip_render_check=False)


def test_the_passive_checker_finds_no_fault(problem: Problem, names: dict[str, Any]) -> None:
    env = make(problem, names, render_mode="ansi")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(20):
            _, info = env.reset()
            for _ in range(info["length"]):
                env.step(env.action_space.sample(info["action_mask"]))
                env.render()
    env.close()
    env.close()


def test_the_docstring_is_a_page(problem: Problem) -> None:
    lines = (problem.single.__doc__ or "").splitlines()
    assert [line.strip().removeprefix("## ") for line in lines if line.strip().startswith("## ")] == HEADINGS


# Registration


def test_defaults_work_by_either_name(problem: Problem) -> None:
    if problem.classifier not in shipped_runs():
        pytest.skip(f"the classifier {problem.classifier!r} does not ship yet")
    for name in (problem.id, f"hs_env:{problem.id}"):
        env = gymnasium.make(name)
        observation, _ = env.reset(seed=0)
        assert observation in env.observation_space
        assert env.spec is not None
        assert env.spec.max_episode_steps is None


def test_defaults_segment_well_enough_to_be_worth_learning() -> None:
    env = gymnasium.make(PHRASES.id, split="test")
    resources = env.unwrapped._resources  # type: ignore[attr-defined]
    correct = []
    for index in range(100):
        env.reset(options={"indices": index})
        for action in resources.sentences[index].gold_actions:
            info = env.step(action)[-1]
        correct.append(info["correct"])
    assert np.mean(correct) > 0.8


def test_the_module_prefix_registers(problem: Problem, names: dict[str, Any]) -> None:
    code = f"import gymnasium; print(gymnasium.make('hs_env:{problem.id}', **{names!r}).spec.id)"
    root = Path(hs_env.__file__).parents[1]
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == problem.id


def test_the_spec_survives_json(problem: Problem, names: dict[str, Any]) -> None:
    arguments = {**names, "split": "dev", "reward_parameters": {"gamma": 0.5}}
    env = make(problem, arguments)
    assert env.spec is not None
    text = env.spec.to_json()
    assert json.loads(text)["kwargs"] == arguments
    again = gymnasium.make(EnvSpec.from_json(text))
    first, second = env.reset(seed=5), again.reset(seed=5)
    np.testing.assert_equal(first, second)
    np.testing.assert_equal(env.step(1), again.step(1))
    assert again.unwrapped._resources.encoder is env.unwrapped._resources.encoder  # type: ignore[attr-defined]


# Wrappers and vector environments


def test_episode_statistics(problem: Problem, names: dict[str, Any]) -> None:
    env = RecordEpisodeStatistics(make(problem, names))
    for _ in range(5):
        _, info = env.reset()
        for _ in range(info["length"]):
            _, reward, terminated, _, info = env.step(1)
        assert terminated
        assert info["episode"]["l"] == info["length"]
        assert info["episode"]["r"] == pytest.approx(float(reward))


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_a_vector_of_three(problem: Problem, names: dict[str, Any], mode: AutoresetMode) -> None:
    env = SyncVectorEnv([lambda: make(problem, names)] * 3, autoreset_mode=mode)
    env.action_space.seed(0)
    _, infos = env.reset(seed=0)
    dtypes: dict[str, set[str]] = {}
    episodes = 0
    for _ in range(200):
        observations, _, terminated, truncated, infos = env.step(env.action_space.sample())
        assert observations in env.observation_space
        assert not truncated.any()
        episodes += int(terminated.sum())
        for key, values in {**infos, **infos.get("final_info", {})}.items():
            if isinstance(values, np.ndarray):
                dtypes.setdefault(key, set()).add(f"{values.dtype}{values.shape}")
    assert episodes > 50
    assert {key for key, kinds in dtypes.items() if len(kinds) > 1} == set()
    count, structure = problem.structure
    expected = {
        **dict.fromkeys(("position", "length", "index", "token", "prediction", count), "int64(3,)"),
        **{"action_mask": "int8(3, 2)", "log_probs": "float32(3, 2)", "correct": "bool(3,)", structure: "object(3,)"},
    }
    assert {key: dtypes[key].pop() for key in expected} == expected


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork by default")
def test_forked_environments_do_not_hang(problem: Problem, names: dict[str, Any]) -> None:
    code = f"""
import gymnasium, hs_env, torch
torch.set_num_threads(2)
torch.rand(1000, 1000) @ torch.rand(1000, 1000)
fork = dict(vectorization_mode="async", vector_kwargs=dict(context="fork"))
envs = gymnasium.make_vec("{problem.id}", 2, **fork, **{names!r})
envs.reset_async(seed=0)
envs.reset_wait(timeout=120)
envs.close()
"""
    subprocess.run([sys.executable, "-c", code], cwd=Path(hs_env.__file__).parents[1], check=True, timeout=180)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork by default")
def test_an_environment_goes_through_a_fork(problem: Problem, names: dict[str, Any]) -> None:
    code = f"""
import multiprocessing, gymnasium, hs_env, torch
torch.set_num_threads(2)
envs = gymnasium.make_vec("{problem.id}", 64, **{names!r})
envs.reset(seed=0)
envs.step(envs.action_space.sample())
child = multiprocessing.get_context("fork").Process(target=lambda: envs.step(envs.action_space.sample()))
child.start()
child.join(120)
assert child.exitcode == 0, child.exitcode
assert torch.get_num_threads() == 2
"""
    subprocess.run([sys.executable, "-c", code], cwd=Path(hs_env.__file__).parents[1], check=True, timeout=180)


def test_ppo_learns_without_errors(problem: Problem, names: dict[str, Any]) -> None:
    stable_baselines3 = pytest.importorskip("stable_baselines3")
    env = make(problem, names)
    model = stable_baselines3.PPO("MlpPolicy", env, n_steps=64, batch_size=32, n_epochs=2, gamma=1.0, seed=0)
    model.learn(256)
    observation, _ = env.reset()
    action, _ = model.predict(observation, deterministic=True)
    env.step(action)


@pytest.mark.parametrize("vector", [False, True])
def test_paths_and_actions_of_numpy_are_taken(vector, tmp_path):
    labels = Classifier.load("phrases").labels
    for split in ("train", "test"):
        rows = [{"text": f"the film is {word}", "label": label} for word in ("good", "bad") for label in labels]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows * 5))
    kwargs = {"corpus": tmp_path, "classifier": shipped_runs()["phrases"], "data_dir": tmp_path}
    name = "hs_env/PhraseSegmentation-v0"
    if vector:
        environment = gymnasium.make_vec(name, num_envs=2, vectorization_mode="vector_entry_point", **kwargs)
        actions = [np.ones(2, np.bool_), np.ones(2, np.uint8)]
    else:
        environment = gymnasium.make(name, **kwargs)
        actions = [np.bool_(True), np.int8(1), np.uint64(0)]
    environment.reset(seed=0)
    for action in actions:
        environment.unwrapped.step(action)
    spec = environment.unwrapped.spec
    assert {name: spec.kwargs[name] for name in kwargs} == {name: str(path) for name, path in kwargs.items()}
    if not vector:
        assert str(tmp_path) in environment.spec.to_json()
        gymnasium.make(spec)


def test_an_unknown_argument_is_named(problem: Problem) -> None:
    for make in (gymnasium.make, functools.partial(gymnasium.make_vec, num_envs=2)):
        with pytest.raises(HsEnvError, match=f"Unknown argument of {problem.id} 'corpuss'. Did you mean 'corpus'"):
            make(problem.id, corpuss="phrases")
