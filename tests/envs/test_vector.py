"""The native vector environments are vectors of single ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import hs_env
from tests.envs.builders import TEXT, Problem

gymnasium.register_envs(hs_env)
N = 3


def differences(mine: Any, other: Any, path: str = "") -> Iterator[str]:
    """Where two results differ; floats by more than 1e-5."""
    if isinstance(mine, dict) or isinstance(other, dict):
        if mine.keys() != other.keys():
            yield f"{path}: {sorted(mine)} {sorted(other)}"
        for key in mine.keys() & other.keys():
            yield from differences(mine[key], other[key], f"{path}/{key}")
    elif isinstance(mine, list | tuple) or (isinstance(mine, np.ndarray) and mine.dtype == object):
        if type(mine) is not type(other) or len(mine) != len(other):
            yield f"{path}: {mine!r} {other!r}"
        for number, pair in enumerate(zip(mine, other, strict=False)):
            yield from differences(*pair, f"{path}[{number}]")
    elif isinstance(mine, np.ndarray):
        if mine.dtype != other.dtype or mine.shape != other.shape or not np.allclose(mine, other, atol=1e-5, rtol=0):
            yield f"{path}: {mine!r} {other!r}"
    elif mine != other:
        yield f"{path}: {mine!r} {other!r}"


def seen(result: tuple[Any, ...]) -> tuple[Any, ...]:
    """A copy, as `SyncVectorEnv` may go on writing into what it returned."""
    return tuple(part.copy() for part in result)


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("seed", [0, 7])
def test_native_equals_a_vector_of_single_ones(
    problem: Problem, names: dict[str, Any], mode: AutoresetMode, seed: int
) -> None:
    native = gymnasium.make_vec(problem.id, N, autoreset_mode=mode, **names)
    sync = SyncVectorEnv([lambda: problem.single(**names)] * N, autoreset_mode=mode)
    assert type(native) is problem.vector
    assert (native.observation_space, native.action_space) == (sync.observation_space, sync.action_space)
    draw = np.random.default_rng(seed)
    assert list(differences(seen(native.reset(seed=seed)), seen(sync.reset(seed=seed)))) == []
    ended = 0
    for _ in range(200):
        actions = draw.integers(2, size=N) * draw.integers(2, size=N)  # mostly 0, so that some are forced
        mine, its = seen(native.step(actions)), seen(sync.step(actions))
        assert list(differences(mine, its)) == []
        terminated = mine[2]
        ended += int(terminated.sum())
        if mode == AutoresetMode.DISABLED and terminated.any():
            mine, its = (seen(env.reset(options={"reset_mask": terminated.copy()})) for env in (native, sync))
            np.testing.assert_allclose(mine[0], its[0], atol=1e-5)
            assert list(differences(mine[1], its[1])) == []
    assert ended > 50


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


def test_tensors(problem: Problem, names: dict[str, Any]) -> None:
    envs, others = (problem.vector(N, **names) for _ in range(2))
    observation, legal = envs.reset_tensors(seed=1)
    np.testing.assert_array_equal(observation.numpy(), others.reset(seed=1)[0])
    for _ in range(30):
        np.testing.assert_array_equal(legal.numpy(), others.action_masks())
        actions = torch.where(legal[:, 0], torch.zeros(N, dtype=torch.int64), 1)
        step = envs.step_tensors(actions)
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
