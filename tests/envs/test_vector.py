"""The native vector environments are vectors of single ones."""

from __future__ import annotations

import copy
import pickle
import re
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import (
    DictInfoToList,
    FlattenObservation,
    NormalizeObservation,
    RecordEpisodeStatistics,
)

import hs_env
from hs_env.envs import check_vector_env
from hs_env.envs.checker.values import difference
from hs_env.errors import HsEnvError
from hs_env.interop.sb3 import SB3VecEnv
from hs_env.models import AttentiveHSLSTM
from hs_env.rewards import REWARDS, Reward
from hs_env.types import Episodes
from tests.envs.builders import PHRASES, TEXT, TREES, Problem, make_classifier

gymnasium.register_envs(hs_env)
N = 3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize(("seed", "more"), [(0, {}), (7, {"shaping": True}), (30, {"render_mode": "ansi"})])
def test_native_equals_a_vector_of_single_ones(
    problem: Problem, names: dict[str, Any], mode: AutoresetMode, seed: int, more: dict[str, Any]
) -> None:
    native = gymnasium.make_vec(problem.id, N, autoreset_mode=mode, **names, **more)
    sync = SyncVectorEnv([lambda: problem.single(**names, **more)] * N, autoreset_mode=mode)
    assert type(native) is problem.vector
    assert (native.observation_space, native.action_space) == (sync.observation_space, sync.action_space)
    check_vector_env(native, sync, steps=200 if seed == 0 else 60, seed=seed)


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("problem", [PHRASES], ids=["HSLSTM"])
def test_rewards_of_gold_phrases_equal_those_of_single_ones(
    problem: Problem, names: dict[str, Any], mode: AutoresetMode
) -> None:
    more = {"reward": "log_likelihood + boundary_f1"}
    native = problem.vector(N, **names, **more, autoreset_mode=mode)
    sync = SyncVectorEnv([lambda: problem.single(**names, **more)] * N, autoreset_mode=mode)
    check_vector_env(native, sync, steps=60)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize(("limit", "more"), [(1, {}), (4, {"shaping": True}), (-1, {})])
def test_a_limit_of_steps_truncates_as_in_single_ones(
    problem: Problem, names: dict[str, Any], mode: AutoresetMode, limit: int, more: dict[str, Any]
) -> None:
    native = gymnasium.make_vec(problem.id, N, autoreset_mode=mode, max_episode_steps=limit, **names, **more)
    sync = gymnasium.make_vec(
        problem.id,
        N,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": mode},
        max_episode_steps=limit,
        **names,
        **more,
    )
    assert type(native) is problem.vector
    check_vector_env(native, sync, steps=40)


def test_the_last_step_that_the_limit_allows_may_be_the_last_word(problem: Problem, names: dict[str, Any]) -> None:
    envs = problem.vector(2, **names, max_episode_steps=2, autoreset_mode="SameStep")
    envs.reset(options={"text": ["very good", TEXT["text"]]})
    envs.step([1, 1])
    _, rewards, terminated, truncated, infos = envs.step([1, 1])
    assert (terminated.tolist(), truncated.tolist()) == ([True, False], [True, True])
    assert rewards[0] < 0
    assert rewards[1] == 0
    assert infos["final_info"]["_prediction"].tolist() == [True, False]
    assert infos["final_info"]["position"].tolist() == [2, 2]


@pytest.mark.parametrize("limit", [0, -2, 2.5, True, "3"])
def test_a_wrong_limit_is_refused(problem: Problem, names: dict[str, Any], limit: Any) -> None:
    with pytest.raises(HsEnvError, match="max_episode_steps must be a whole number of 1 or more, or None"):
        gymnasium.make_vec(problem.id, N, max_episode_steps=limit, **names)


def test_an_encoder_may_remember_more_than_it_shows(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "classifier.safetensors"
    make_classifier(AttentiveHSLSTM, "negative", "positive").save(path)
    attentive = {"corpus": str(folder / "corpus"), "classifier": str(path)}
    native, single = PHRASES.vector(N, **attentive), partial(PHRASES.single, **attentive)
    assert native.single_observation_space.shape == (4 * 8,)
    check_vector_env(native, SyncVectorEnv([single] * N, autoreset_mode=AutoresetMode.NEXT_STEP), steps=60)


@pytest.mark.parametrize("mode", AutoresetMode)
def test_illegal_actions_are_replaced_alike(problem: Problem, names: dict[str, Any], mode: AutoresetMode) -> None:
    """The checker takes legal actions alone."""
    native = problem.vector(N, **names, autoreset_mode=mode)
    sync = SyncVectorEnv([lambda: problem.single(**names)] * N, autoreset_mode=mode)
    ended = 0
    for envs in (native, sync):
        envs.reset(seed=3)
    for _ in range(60):
        (mine, earned, terminated, _, _), (its, paid, *_) = (envs.step(np.zeros(N, int)) for envs in (native, sync))
        np.testing.assert_allclose(mine, its, atol=1e-5)
        np.testing.assert_allclose(earned, paid, atol=1e-5)
        ended += int(terminated.sum())
        if mode == AutoresetMode.DISABLED and terminated.any():
            for envs in (native, sync):
                envs.reset(options={"reset_mask": terminated.copy()})
    assert ended > 10


@pytest.mark.parametrize(
    ("wrapper", "modes"),
    [
        (RecordEpisodeStatistics, list(AutoresetMode)),
        (DictInfoToList, list(AutoresetMode)),
        (FlattenObservation, [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED]),
        (NormalizeObservation, [AutoresetMode.NEXT_STEP]),
    ],
)
def test_wrappers_of_gymnasium(
    problem: Problem, names: dict[str, Any], wrapper: Any, modes: list[AutoresetMode]
) -> None:
    for mode in modes:
        envs = wrapper(problem.vector(N, **names, autoreset_mode=mode))
        envs.reset(seed=0)
        ended = 0
        for _ in range(30):
            terminated = envs.step(envs.action_space.sample())[2]
            ended += int(terminated.sum())
            if mode == AutoresetMode.DISABLED and terminated.any():
                envs.reset(options={"reset_mask": terminated.copy()})
        assert ended > 5


def test_statistics_of_episodes_survive_a_partial_reset(problem: Problem, names: dict[str, Any]) -> None:
    envs = RecordEpisodeStatistics(problem.vector(2, **names, autoreset_mode="Disabled"))
    envs.reset(options={"text": ["good", "not very good"]})
    terminated = envs.step(np.array([1, 1]))[2]
    assert terminated.tolist() == [True, False]
    envs.reset(options={"reset_mask": terminated, "text": "good"})
    envs.step(np.array([1, 1]))
    envs.reset(options={"reset_mask": terminated, "text": "good"})
    infos = envs.step(np.array([1, 1]))[4]
    assert infos["episode"]["l"].tolist() == [1, 3]


def test_sequences_of_seeds(problem: Problem, names: dict[str, Any]) -> None:
    envs = problem.vector(N, **names)
    first = envs.reset(seed=[5, 6, 7])[1]["index"].tolist()
    assert envs.reset(seed=5)[1]["index"].tolist() == first
    assert envs.np_random_seed == (5, 6, 7)
    following = envs.reset()[1]["index"].tolist()
    envs.reset(seed=5)
    assert envs.reset(seed=[None, 6, None])[1]["index"].tolist() == [following[0], first[1], following[2]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reset_mask": [True, False, True]}, "must be a NumPy array of bool of shape (3,), got list"),
        ({"reset_mask": np.array([1, 0, 1])}, "got int64 of shape (3,)"),
        ({"reset_mask": np.array([True])}, "got bool of shape (1,)"),
        ({"reset_mask": np.zeros(3, bool)}, "False everywhere"),
        ({"indices": [1, [2], 3]}, "expected an integer"),
        ({"text": ["good", ["bad"], "x"]}, "expected a string"),
        ({"indices": [1, 2]}, "or of one for each of the 3 environments"),
        ({"indices": [1, 2, 99]}, "The index is 99"),
        ({"mask": 1}, "Unknown reset option 'mask'"),
        ({"text": ["a", 3, "b"]}, "expected a string"),
    ],
)
def test_bad_options(problem: Problem, names: dict[str, Any], options: dict[str, Any], message: str) -> None:
    envs = problem.vector(N, **names)
    envs.reset(seed=0)
    with pytest.raises(HsEnvError, match=re.escape(message)):
        envs.reset(options=options)


@pytest.mark.parametrize("actions", [[0, 1], [0, 1, 2], [0.0, 1.0, 1.0], [[0, 1, 1]], [[0], [1, 1], [1]], "END", None])
def test_bad_actions(problem: Problem, names: dict[str, Any], actions: Any) -> None:
    envs = problem.vector(N, **names)
    envs.reset(seed=0)
    with pytest.raises(HsEnvError, match=re.escape(f"expected {problem.actions[0]} (0) or") + "|Expected 3 actions"):
        envs.step(actions)
    envs.step([0, 1, True])


def test_bad_arguments(problem: Problem, names: dict[str, Any]) -> None:
    with pytest.raises(HsEnvError, match=r"Unknown autoreset mode 'SameStp'. Did you mean 'SameStep'"):
        problem.vector(N, **names, autoreset_mode="SameStp")
    with pytest.raises(HsEnvError, match="num_envs must be a whole number of 1 or more, got 0"):
        problem.vector(0, **names)
    envs = problem.vector(N, **names)
    for seed in (1.5, [1, 2], "7", -1, [1, 2, -3]):
        with pytest.raises(HsEnvError, match="expected an integer from 0, or one or None for each of 3"):
            envs.reset(seed=seed)  # type: ignore[arg-type]


def test_resources_of_another_width_are_refused(problem: Problem, names: dict[str, Any]) -> None:
    envs, wider = problem.vector(2, **names), problem.vector(2)
    with pytest.raises(HsEnvError, match=r"observes states of the shape .* Make another environment for it"):
        envs.load(wider._resources)


def test_resources_of_another_number_of_actions_are_refused(
    problem: Problem, names: dict[str, Any], folder: Path
) -> None:
    envs, trees = problem.vector(2, **names), TREES.vector(2, names["corpus"], str(folder / "TreeLSTM.safetensors"))
    with pytest.raises(HsEnvError, match=r"has the actions Discrete\(2\), but .* has 3 actions"):
        envs.load(trees._resources)


def test_steps_out_of_order(problem: Problem, names: dict[str, Any]) -> None:
    envs = problem.vector(2, **names, autoreset_mode="Disabled", render_mode="ansi")
    for use in (lambda: envs.step([0, 1]), envs.render, envs.action_masks):
        with pytest.raises(ResetNeeded, match="There are no sentences yet"):
            use()
    with pytest.raises(ResetNeeded, match="without a mask first"):
        envs.reset(options={"reset_mask": np.array([True, False])})
    envs.reset(options={"text": ["good", "very good"]})
    envs.step([1, 1])
    with pytest.raises(ResetNeeded, match=r"slots \[0\] have ended: reset them"):
        envs.step([1, 1])


def test_what_a_reward_raises_comes_through(
    problem: Problem, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Reward):
        name = "broken"

        def terms(self, episodes: Episodes) -> dict[str, torch.Tensor]:
            return {"oops": episodes.log_likelihood / 0}

    monkeypatch.setitem(REWARDS._entries, "broken.v1", Broken)
    envs = SB3VecEnv(problem.vector(2, **names, reward="broken", autoreset_mode="SameStep"))
    envs.set_options({"indices": [4, 0]})
    envs.reset()
    with pytest.raises(HsEnvError, match="'oops' of the reward 'broken' is -inf for sentence 0"):
        envs.step(np.array([1, 1]))


def test_chosen_texts_of_different_lengths(problem: Problem, names: dict[str, Any]) -> None:
    envs = problem.vector(2, **names)
    _, infos = envs.reset(options={"text": ["good", TEXT["text"]]})
    assert infos["length"].tolist() == [1, 6]
    assert envs.action_masks().tolist() == [[False, True], [True, True]]
    _, _, terminated, _, infos = envs.step([0, 1])
    assert terminated.tolist() == [True, False]
    count, structure = problem.structure
    assert infos[structure][0] == ("good",)
    assert infos[count].tolist() == [1, 0]


@pytest.mark.parametrize("more", [0, 1, 20])
def test_a_text_longer_than_the_corpus_and_a_sentence_after_it_are_read_as_in_single_ones(
    problem: Problem, names: dict[str, Any], more: int
) -> None:
    native = problem.vector(N, **names)
    sync = SyncVectorEnv([lambda: problem.single(**names)] * N, autoreset_mode=AutoresetMode.NEXT_STEP)

    def both(call: str, **arguments: Any) -> Any:
        expected, found = (getattr(envs, call)(**copy.deepcopy(arguments)) for envs in (sync, native))
        assert difference(expected, found, call, 1e-5) is None
        return found

    longest, draw = int(native._resources.encoded.sizes.max()), np.random.default_rng(0)
    both("reset", seed=0)
    for chosen in ({"text": " ".join(["good"] * (longest + more))}, {"indices": 3}):
        both("reset", options={"reset_mask": np.array([False, True, False]), **chosen})
        ended = False
        while not ended:
            ended = both("step", actions=draw.integers(2, size=N))[2][1]


def test_tensors(problem: Problem, names: dict[str, Any]) -> None:
    envs, others = (problem.vector(N, **names) for _ in range(2))
    observation, legal = envs.reset_tensors(seed=1)
    np.testing.assert_array_equal(observation.numpy(), others.reset(seed=1)[0])
    for _ in range(30):
        np.testing.assert_array_equal(legal.numpy(), others.action_masks())
        actions = torch.where(legal[:, 0], torch.zeros(N, dtype=torch.int64), 1)
        step = envs.step_tensors(actions)
        assert not any(tensor.is_inference() for tensor in (step.observation, step.reward, step.legal, observation))
        expected, rewards, terminated, _, _ = others.step(actions.numpy())
        np.testing.assert_array_equal(step.observation.numpy(), expected)
        np.testing.assert_allclose(step.reward.numpy(), rewards)
        np.testing.assert_array_equal(step.terminated.numpy(), terminated)
        legal = step.legal


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_pictures(problem: Problem, names: dict[str, Any], mode: str) -> None:
    envs, single = problem.vector(2, **names, render_mode=mode), problem.single(**names, render_mode=mode)
    envs.reset(options={"text": [TEXT["text"], "very funny"]})
    single.reset(options=TEXT)
    for action in (0, 1):
        envs.step([action, 1])
        single.step(action)
        drawn = envs.render()
        assert drawn is not None
        assert len(drawn) == 2
        np.testing.assert_array_equal(drawn[0], single.render())


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("render_mode", ["ansi_list", "rgb_array_list"])
def test_lists_of_pictures_equal_those_of_single_ones(
    names: dict[str, Any], problem: Problem, mode: AutoresetMode, render_mode: str
) -> None:
    arguments = {"render_mode": render_mode, **names}
    native = gymnasium.make_vec(problem.id, 2, autoreset_mode=mode, **arguments)
    singles = SyncVectorEnv([lambda: gymnasium.make(problem.id, **arguments)] * 2, autoreset_mode=mode)
    drawn = []
    for envs in (native, singles):
        _, infos = envs.reset(seed=4)
        seen = []
        for step in range(8):
            actions = np.argmax(infos["action_mask"], axis=1)
            _, _, terminated, _, infos = envs.step(actions)
            if step in (1, 4, 5):
                seen.append(envs.render())
            if mode == AutoresetMode.DISABLED and terminated.any():
                _, begun = envs.reset(options={"reset_mask": terminated.copy()})
                infos["action_mask"][terminated] = begun["action_mask"][terminated]
        drawn.append([*seen, envs.render(), envs.render()])
    assert drawn[0][-1] == ([], [])
    np.testing.assert_equal(*drawn)


def test_libraries_find_gymnasium_among_the_direct_bases(problem: Problem) -> None:
    """As skrl's `wrap_env` looks for it."""
    assert gymnasium.Env in problem.single.__bases__
    assert gymnasium.vector.VectorEnv in problem.vector.__bases__


@pytest.mark.parametrize("copied", [lambda envs: pickle.loads(pickle.dumps(envs)), copy.deepcopy])
def test_copies_go_on_alike_and_hold_no_weights(problem: Problem, names: dict[str, Any], copied: Any) -> None:
    envs = problem.vector(N, **names)
    envs.reset(seed=3)
    envs.step([0, 1, 0])
    assert b"weight" not in pickle.dumps(envs)
    other = copied(envs)
    for actions in ([1, 0, 1], [0, 0, 0], [1, 1, 1]) * 5:
        (mine, *ours), (its, *others) = envs.step(actions), other.step(actions)
        np.testing.assert_array_equal(mine, its)
        np.testing.assert_equal(ours, others)


@pytest.mark.parametrize("mode", AutoresetMode)
def test_an_episode_ends_after_its_reward_has_failed_once(
    problem: Problem, names: dict[str, Any], mode: AutoresetMode
) -> None:
    calls = []

    def unreachable(texts: list[str]) -> list[float]:
        calls.append(texts)
        if len(calls) == 1:
            raise ValueError("service not reachable")
        return [1.0] * len(texts)

    env = problem.vector(**names, num_envs=2, reward=unreachable, autoreset_mode=mode)
    env.reset(options={"text": ["good", "not good at all"]})
    with pytest.raises(HsEnvError, match="service not reachable"):
        env.step([1, 1])
    _, rewards, terminated, _, _ = env.step([1, 1])
    assert (rewards.tolist(), terminated.tolist()) == ([1.0, 0.0], [True, False])
