"""The adapter beside DummyVecEnv, under the algorithms and wrappers of SB3, and what it refuses."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Dict, Discrete, MultiDiscrete
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, VectorEnv
from gymnasium.wrappers import TimeAwareObservation, TimeLimit
from gymnasium.wrappers import vector as vector_wrappers
from sb3_contrib import MaskablePPO, RecurrentPPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy as evaluate_masked
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from sb3_contrib.common.wrappers import ActionMasker
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecCheckNan,
    VecEnv,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
)

import hs_env
from hs_env.errors import HsEnvError
from hs_env.interop.sb3 import SB3VecEnv
from tests.interop.builders import SAME_STEP, Native, Shown, Walk, recorded, sync, without

gymnasium.register_envs(hs_env)

SMALL: dict[str, Any] = {"seed": 0, "device": "cpu", "policy_kwargs": {"net_arch": [8]}, "gamma": 1.0}

Make = Callable[[], gymnasium.Env[Any, Any]]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


def cart_pole() -> gymnasium.Env[Any, Any]:
    return gymnasium.make("CartPole-v1", max_episode_steps=15)


def phrases() -> gymnasium.Env[Any, Any]:
    return gymnasium.make("hs_env/PhraseSegmentation-v0")


def transcript(env: VecEnv, steps: int = 60) -> list[Any]:
    """All that an environment says under recorded actions, copied, with a second reset on the way."""
    env.seed(5)
    said: list[Any] = [deepcopy(env.reset())]
    for step, actions in enumerate(recorded(env.num_envs, int(env.action_space.n), steps)):  # type: ignore[attr-defined]
        said.append(env.reset_infos.copy())
        if step == steps // 2:
            env.seed(3)
            said.append(env.reset())
        said.append(env.step(actions))
        if is_masking_supported(env):
            said.append(get_action_masks(env))
    return said


# The same as DummyVecEnv


@pytest.mark.parametrize("make", [cart_pole, Walk, phrases])
@pytest.mark.parametrize("build", [sync, Native])
def test_equals_dummy_vec_env(make: Make, build: Callable[[Make], VectorEnv[Any, Any, Any]]) -> None:
    expected, got = transcript(DummyVecEnv([make] * 3)), transcript(SB3VecEnv(build(make)))
    infos = [info for entry in expected if isinstance(entry, tuple) for info in entry[3]]
    assert sum("terminal_observation" in info for info in infos) > 5
    assert make is phrases or any(info["TimeLimit.truncated"] for info in infos)
    np.testing.assert_equal(got, expected)


def test_returns_the_types_that_sb3_expects() -> None:
    env = SB3VecEnv(Native(cart_pole))
    assert env.reset().dtype == np.float32  # type: ignore[union-attr]
    observations, rewards, dones, infos = env.step([0, 1, 0])  # type: ignore[arg-type]
    assert isinstance(observations, np.ndarray)
    assert (observations.dtype, rewards.dtype, dones.dtype) == (np.float32, np.float32, np.bool_)
    assert [type(info) for info in infos] == [dict] * 3
    assert env.observation_space == cart_pole().observation_space
    assert env.action_space == Discrete(2)


def test_an_end_that_is_also_a_time_limit_is_no_truncation() -> None:
    env = SB3VecEnv(sync(lambda: TimeLimit(Walk(), 1)))
    env.reset()
    _, _, dones, infos = env.step(np.ones(3, int))
    assert dones.all()
    assert [info["TimeLimit.truncated"] for info in infos] == [False] * 3


def test_observations_outlive_the_next_step() -> None:
    env = SB3VecEnv(sync(cart_pole, copy=False))
    kept = [env.reset()]
    copies = deepcopy(kept)
    for _ in range(3):
        kept.append(env.step(np.zeros(3, int))[0])
        copies.append(deepcopy(kept[-1]))
    np.testing.assert_equal(kept, copies)


def test_rewards_may_be_changed_in_place() -> None:
    env = SB3VecEnv(Native(cart_pole))
    env.reset()
    kept = None
    for _ in range(3):
        rewards = env.step(np.zeros(3, int))[1]
        assert kept is None or kept.tolist() == [2, 2, 2]
        assert rewards.tolist() == [1, 1, 1]
        rewards += 1
        kept = rewards


def test_episode_statistics_go_to_the_episode_that_has_ended() -> None:
    env = SB3VecEnv(vector_wrappers.RecordEpisodeStatistics(sync(Walk)))
    env.reset()
    for _ in range(30):
        _, _, dones, infos = env.step(np.zeros(3, int))
        assert [info.get("episode", {}).keys() == {"r", "l", "t"} for info in infos] == dones.tolist()
        assert not any("episode" in info for info in env.reset_infos)


# Seeds and options


@pytest.mark.parametrize("seed", [7, np.int64(7)])
def test_seeds_and_options_are_used_once(seed: int) -> None:
    env = SB3VecEnv(native := Native())
    assert list(env.seed(seed)) == [7, 8, 9]
    env.set_options({"start": 3})
    env.reset()
    assert [info["options"] for info in env.reset_infos] == [{"start": 3}] * 3
    env.reset()
    assert "options" not in env.reset_infos[0]
    env.seed()
    env.reset()
    assert [native.seeds[0], native.seeds[1], type(native.seeds[2])] == [7, None, int]


def test_equal_options_for_each_environment() -> None:
    env = SB3VecEnv(sync(Walk))
    env.set_options([{"start": np.arange(2)} for _ in range(3)])
    env.reset()
    np.testing.assert_equal(env.reset_infos[2]["options"], {"start": np.arange(2)})
    env.set_options(None)
    env.reset()
    assert "options" not in env.reset_infos[2]


def test_a_sentence_may_be_chosen() -> None:
    env = SB3VecEnv(sync(phrases, 2))
    env.set_options({"text": "not very good"})
    env.reset()
    assert [info["length"] for info in env.reset_infos] == [3, 3]


# Action masks


@pytest.mark.parametrize(
    "env",
    [
        Native(masks=True),
        Native(),
        vector_wrappers.RecordEpisodeStatistics(Native(masks=True)),
        sync(Walk),
        sync(lambda: Shown(Walk())),
        sync(lambda: ActionMasker(Walk(), lambda env: env.unwrapped.action_masks())),  # type: ignore[attr-defined]
    ],
    ids=["method", "infos", "wrapped", "methods", "infos of singles", "ActionMasker"],
)
def test_masks_are_those_of_the_observations_shown(env: VectorEnv[Any, Any, Any]) -> None:
    adapter = VecMonitor(SB3VecEnv(env))
    assert is_masking_supported(adapter)
    adapter.seed(0)
    observations = adapter.reset()
    for actions in recorded(3, 3):
        masks = get_action_masks(adapter)
        assert masks.dtype == np.bool_
        np.testing.assert_array_equal(masks[:, 1], observations["step"] % 2 == 0)  # type: ignore[call-overload]
        np.testing.assert_array_equal(adapter.env_method("action_masks", indices=[2, 0]), masks[[2, 0]])
        np.testing.assert_array_equal(adapter.get_attr("action_masks", indices=1)[0](), masks[1])
        observations = adapter.step(actions)[0]


def test_asking_for_masks_before_the_reset_leaves_its_seeds() -> None:
    asked, other = SB3VecEnv(Native()), SB3VecEnv(Native())
    for env in (asked, other):
        env.seed(1)
    assert is_masking_supported(asked)
    np.testing.assert_equal(asked.reset(), other.reset())


def test_no_masks() -> None:
    env = SB3VecEnv(sync(cart_pole))
    assert not is_masking_supported(env)
    with pytest.raises(HsEnvError, match=r"expected a method action_masks\(\) in SyncVectorEnv.*or 'action_mask' in"):
        env.env_method("action_masks")
    with pytest.raises(AttributeError, match="'action_masks'"):
        env.get_attr("action_masks")
    with pytest.raises(ValueError, match="does not support action masking"):
        MaskablePPO("MlpPolicy", env, n_steps=2, batch_size=6, **SMALL).learn(1)


def test_masks_of_some_environments_are_none() -> None:
    env = SB3VecEnv(Native(change=lambda infos: infos | {"_action_mask": np.array([True, True, False])}))
    assert not is_masking_supported(env)


def test_masks_of_another_shape() -> None:
    native = Native()
    native.action_masks = lambda: np.ones(3)
    with pytest.raises(HsEnvError, match=r"shape \(3, number of actions\), got float64 of shape \(3,\)\. Return one"):
        SB3VecEnv(native).action_masks()


# Attributes


def test_single_environments_answer() -> None:
    env = SB3VecEnv(vector_wrappers.RecordEpisodeStatistics(sync(lambda: Monitor(TimeLimit(Walk(), 9)))))
    assert env.get_attr("difficulty") == [1, 1, 1]
    env.set_attr("difficulty", 5, indices=[0, 2])
    env.set_attr("_max_episode_steps", [3])
    assert env.get_attr("difficulty") == [5, 1, 5]
    assert env.get_attr("_max_episode_steps", indices=1) == [[3]]
    assert env.env_method("speed", 2, name="x", indices=range(1, 3)) == [(2, "x"), (10, "x")]
    assert env.get_attr("speed")[2](3) == (15, "")
    assert env.get_attr("observation_space") == [env.observation_space] * 3
    assert env.env_is_wrapped(Monitor) == [True] * 3
    assert env.env_is_wrapped(TimeAwareObservation, indices=[1]) == [False]
    assert env.get_attr("episode_count") == [0] * 3
    assert env.has_attr("episode_count")
    assert env.has_attr("difficulty")
    assert not env.has_attr("dificulty")


def test_a_native_environment_has_one_value_for_all() -> None:
    env = SB3VecEnv(vector_wrappers.RecordEpisodeStatistics(Native()))
    env.set_attr("temperature", 0.5)
    assert env.get_attr("temperature", indices=[0, 1]) == [0.5, 0.5]
    assert env.get_attr("observation_space") == [env.observation_space] * 3
    assert env.get_attr("action_space") == [Discrete(3)] * 3
    assert env.env_is_wrapped(Monitor) == [False] * 3
    with pytest.raises(AttributeError, match=r"has one value for all environments: leave out `indices`"):
        env.set_attr("temperature", 0.5, indices=0)
    with pytest.raises(AttributeError, match=r"'speed' cannot be called .* runs no single environments"):
        env.env_method("speed", 1)


@pytest.mark.parametrize("build", [sync, Native])
def test_unknown_attributes(build: Callable[[Make], VectorEnv[Any, Any, Any]]) -> None:
    env = SB3VecEnv(build(Walk))
    with pytest.raises(
        AttributeError, match=r"Neither .* nor a single environment in it has the attribute 'dificulty'"
    ):
        env.get_attr("dificulty")
    with pytest.raises(AttributeError, match="'dificulty'"):
        env.set_attr("dificulty", 1)
    with pytest.raises(AttributeError, match="'spead' cannot be called for each environment"):
        env.env_method("spead")


def test_environments_in_other_processes() -> None:
    envs = gymnasium.make_vec(
        "CartPole-v1",
        2,
        vectorization_mode="async",
        vector_kwargs={"autoreset_mode": SAME_STEP},
        wrappers=[TimeAwareObservation],
        max_episode_steps=15,
    )
    assert isinstance(envs, AsyncVectorEnv)
    env = SB3VecEnv(envs)
    expected = transcript(DummyVecEnv([lambda: TimeAwareObservation(cart_pole())] * 2))
    assert not is_masking_supported(env)  # and no worker has died of the question
    assert not env.has_attr("nothing")
    np.testing.assert_equal(transcript(env), expected)
    env.set_attr("length", 2.0, indices=1)
    assert env.get_attr("length") == [0.5, 2.0]
    assert env.env_is_wrapped(TimeAwareObservation) == [True, True]
    assert env.env_is_wrapped(Monitor, indices=0) == [False]
    assert env.env_method("has_wrapper_attr", "length") == [True, True]
    with pytest.raises(HsEnvError, match=r"calls 'has_wrapper_attr' in all of its 2 .* got indices \[1\]"):
        env.env_method("has_wrapper_attr", "length", indices=1)
    env.close()
    assert envs.closed


# Render


@pytest.mark.parametrize("build", [sync, Native])
def test_render(build: Callable[[Make], VectorEnv[Any, Any, Any]]) -> None:
    env = SB3VecEnv(build(lambda: Walk("rgb_array")))
    assert (env.render_mode, env.metadata["render_fps"]) == ("rgb_array", 5)
    env.reset()
    assert [image.shape for image in env.get_images() if image is not None] == [(2, 3, 3)] * 3
    picture = env.render()
    assert picture is not None
    assert picture.shape == (4, 6, 3)
    text = SB3VecEnv(build(lambda: Walk("ansi")))
    text.reset()
    assert text.render() is None
    assert text.env_method("render", indices=0) == ["0"]
    assert text.get_images() == [None] * 3


def test_close() -> None:
    env = SB3VecEnv(native := Native())
    env.close()
    env.close()
    assert native.closed


# What is refused


def test_other_things_than_vector_environments() -> None:
    with pytest.raises(HsEnvError, match=r"expects a gymnasium.vector.VectorEnv, got <.*CartPole.*make_vec\(id"):
        SB3VecEnv(cart_pole())  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED, None])
def test_other_modes(mode: AutoresetMode | None) -> None:
    native = Native()
    native.metadata = {"autoreset_mode": mode} if mode else {}
    with pytest.raises(
        HsEnvError, match=rf"expected .*SAME_STEP, .*Native.* has {mode}.*autoreset_mode=.*vector_kwargs"
    ):
        SB3VecEnv(vector_wrappers.RecordEpisodeStatistics(native) if mode else native)


def test_the_name_of_the_mode_will_do() -> None:
    native = Native()
    native.metadata = {"autoreset_mode": "SameStep"}
    SB3VecEnv(native)


@pytest.mark.parametrize(
    ("place", "space"),
    [
        ("single_action_space", Discrete(3, start=1)),
        ("single_action_space", MultiDiscrete([3, 2], start=[0, 1])),
        ("single_observation_space", Dict(part=Discrete(2, start=-1))),
    ],
)
def test_spaces_that_start_elsewhere(place: str, space: gymnasium.Space[Any]) -> None:
    native = Native()
    setattr(native, place, space)
    with pytest.raises(HsEnvError, match=r"counts discrete actions and observations from 0, got .*start"):
        SB3VecEnv(native)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([{}], r"Expected options for 3 environments, got 1\. Pass one dict"),
        (
            [{"start": 1}, {"start": 1}, {"start": 2}],
            "one dict of options for all .* different ones: .*'start': 2",
        ),
        ([{"start": np.arange(2)}, {"start": np.zeros(2)}, {}], "different ones"),
    ],
)
def test_options_that_a_vector_environment_does_not_take(options: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        SB3VecEnv(Native()).set_options(options)


def test_infos_as_a_list() -> None:
    env = SB3VecEnv(vector_wrappers.DictInfoToList(sync(Walk)))
    with pytest.raises(HsEnvError, match="such as DictInfoToList"):
        env.reset()


def test_an_end_without_its_observation() -> None:
    env = SB3VecEnv(Native(change=without("final_obs")))
    env.reset()
    with pytest.raises(HsEnvError, match=r"ended without 'final_obs' in the infos\. In the mode SAME_STEP, return"):
        env.step(np.ones(3, int))


def test_an_end_without_its_info() -> None:
    env = SB3VecEnv(Native(change=without("final_info")))
    env.reset()
    info = env.step(np.ones(3, int))[3][0]
    assert info.keys() == {"terminal_observation", "TimeLimit.truncated"}


# Algorithms and wrappers of SB3


@pytest.mark.parametrize(
    ("algorithm", "policy", "settings"),
    [
        (PPO, "MlpPolicy", {"n_steps": 16, "batch_size": 32, "n_epochs": 2}),
        (A2C, "MlpPolicy", {}),
        (DQN, "MlpPolicy", {"learning_starts": 20, "buffer_size": 500}),
        (MaskablePPO, "MlpPolicy", {"n_steps": 16, "batch_size": 32, "n_epochs": 2}),
        (RecurrentPPO, "MlpLstmPolicy", {"n_steps": 16, "batch_size": 32, "n_epochs": 1}),
    ],
)
def test_algorithms(algorithm: Any, policy: str, settings: dict[str, Any], tmp_path: Path) -> None:
    env = VecMonitor(VecCheckNan(SB3VecEnv(sync(phrases, 4)), raise_exception=True))
    model = algorithm(policy, env, **SMALL, **settings)
    model.learn(256)
    assert len(model.ep_info_buffer) > 5
    model.save(tmp_path / "model")
    loaded = algorithm.load(tmp_path / "model", env=env, device="cpu")
    loaded.learn(64)
    assert loaded.get_env() is env
    evaluate = evaluate_masked if algorithm is MaskablePPO else evaluate_policy
    means: list[Any] = []
    for evaluated in (env, DummyVecEnv([lambda: Monitor(phrases())] * 4)):
        evaluated.seed(1)
        means.append(evaluate(loaded, evaluated, n_eval_episodes=8))
    np.testing.assert_allclose(*means, atol=1e-5)


def test_a_policy_learns_the_same_as_from_dummy_vec_env() -> None:
    envs = [VecMonitor(DummyVecEnv([cart_pole] * 3)), VecMonitor(SB3VecEnv(sync(cart_pole)))]
    models = [PPO("MlpPolicy", env, n_steps=32, batch_size=32, n_epochs=2, **SMALL).learn(192) for env in envs]
    weights = [torch.cat([each.flatten() for each in model.policy.parameters()]) for model in models]
    assert torch.equal(*weights)


def test_dict_observations_train() -> None:
    PPO("MultiInputPolicy", SB3VecEnv(Native()), n_steps=16, batch_size=24, n_epochs=2, **SMALL).learn(96)
    DQN("MultiInputPolicy", SB3VecEnv(Native()), learning_starts=20, buffer_size=500, **SMALL).learn(96)


def test_wrappers() -> None:
    said: list[Any] = []
    for env in (DummyVecEnv([cart_pole] * 3), SB3VecEnv(sync(cart_pole))):
        said.append(transcript(VecFrameStack(VecNormalize(env), 2)))
    np.testing.assert_equal(*said)


def test_monitors_do_not_warn_of_each_other() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = VecMonitor(SB3VecEnv(sync(cart_pole)))
    with pytest.warns(UserWarning, match="already wrapped with a `Monitor`"):
        VecMonitor(SB3VecEnv(sync(lambda: Monitor(cart_pole()))))
    assert env.env_is_wrapped(Monitor) == [False] * 3
