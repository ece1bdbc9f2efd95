"""The environment of chunking: rewards at each character, single and vector environments, checkers, pictures."""

from __future__ import annotations

import re
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import hs_env
from hs_env.agents import Reinforce, ReinforceParameters
from hs_env.corpora import Vocabulary
from hs_env.envs import check_vector_env
from hs_env.envs.classes import ChunkingEnv, ChunkingVectorEnv
from hs_env.errors import HsEnvError
from hs_env.interop.sb3 import SB3VecEnv
from hs_env.models import ChunkLSTM, Classifier
from hs_env.rewards import DenseReward, make_reward
from hs_env.types import Steps
from tests.envs.builders import write_corpus

gymnasium.register_envs(hs_env)
ID = "hs_env/Chunking-v0"
TEXT = "not very good"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Arguments of an environment on a small corpus and a small untrained model."""
    folder: Path = tmp_path_factory.mktemp("chunking")
    (folder / "corpus").mkdir()
    for seed, split in enumerate(("train", "dev", "test")):
        write_corpus(folder / "corpus" / f"{split}.jsonl", 12, seed)
    vocabulary = Vocabulary(" adefghimnorstuvy")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ChunkLSTM(len(vocabulary), 2, embedding_size=6, hidden_size=8)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2)
    path = folder / "classifier.safetensors"
    Classifier(model, vocabulary, ("negative", "positive"), "glove_characters", {}).save(path)
    return {"corpus": f"{folder / 'corpus'}:tokenisation=characters", "classifier": str(path)}


def play(env: Any, actions: list[int], **options: Any) -> tuple[list[float], dict[str, Any]]:
    """The rewards and the last info of an episode."""
    _, info = env.reset(options=options)
    rewards = []
    for action in actions:
        _, reward, terminated, _, info = env.step(action)
        rewards.append(reward)
    assert terminated
    return rewards, info


def test_each_step_earns_what_the_chunk_level_adds(names: dict[str, Any]) -> None:
    """The rewards of an episode are those of both routes of the encoder, and add up to the reward of the episode."""
    env = ChunkingEnv(**names, reward="chunk_gain(price=0.3)")
    resources, generator = env.resources, torch.Generator().manual_seed(0)
    for index in range(6):
        batch = resources.encoded.batch(torch.tensor([index]))
        asked = torch.randint(0, 2, batch.tokens.shape, generator=generator)
        rewards, info = play(env, asked[0].tolist(), indices=index)
        taken = env._slots.actions[:, : asked.shape[1]]
        assert taken[0, 0] == taken[0, -1] == 1
        episodes = resources.encoder.read(batch, taken)
        early, late = episodes.measures.values()
        np.testing.assert_allclose(rewards, (early - late - 0.3 * taken)[0], atol=1e-5)
        earned = resources.reward(episodes)
        assert earned.steps is not None
        np.testing.assert_allclose(rewards, earned.steps[0], atol=1e-5)
        assert sum(info["reward_terms"].values()) == pytest.approx(sum(rewards), abs=1e-4)
        assert info["num_chunks"] == int(taken.sum()) == len(info["chunks"])
        assert "".join(info["chunks"]) == "".join(resources.sentences[index].words)


class Logarithm(DenseReward):
    """Finite on every character, but not after the last one, where measures are 0."""

    def step_terms(self, steps: Steps) -> dict[str, torch.Tensor]:
        return {"early": steps.measures["early_loss"].log()}


class Unknown(DenseReward):
    def step_terms(self, steps: Steps) -> dict[str, torch.Tensor]:
        return {"early": steps.measures["foo"]}


class OnePerEpisode(DenseReward):
    def step_terms(self, steps: Steps) -> dict[str, torch.Tensor]:
        return {"early": steps.measures["early_loss"][:, 0]}


class NotANumber(DenseReward):
    def step_terms(self, steps: Steps) -> dict[str, torch.Tensor]:
        return {"early": steps.measures["early_loss"] * float("nan")}


def test_a_dense_reward_that_failed_once_delays_no_end(names: dict[str, Any]) -> None:
    class Flaky(DenseReward):
        calls = 0

        def step_terms(self, steps: Steps) -> dict[str, torch.Tensor]:
            Flaky.calls += 1
            if Flaky.calls == 1:
                raise ValueError("service not reachable")
            return {"early": steps.measures["early_loss"]}

    envs = ChunkingVectorEnv(1, **names, reward=Flaky)
    envs.reset(options={"text": "not"})
    with pytest.raises(HsEnvError, match="service not reachable"):
        envs.step(np.ones(1, np.int64))
    assert [bool(envs.step(np.ones(1, np.int64))[2][0]) for _ in range(3)] == [False, False, True]


def test_padding_does_not_enter_a_dense_reward(names: dict[str, Any]) -> None:
    envs = ChunkingVectorEnv(2, **names, reward=Logarithm)
    envs.reset(options={"text": ["not", "not very good"]})
    for _ in range(5):  # one slot waits for its next sentence
        assert np.isfinite(envs.step(np.ones(2, np.int64))[1]).all()
    classifier = Classifier.load(names["classifier"])
    batch = classifier.batch([classifier.sentence(text) for text in ("not", "not very good")])
    model = classifier.model
    agent = Reinforce(model.state_size, model.problem, ReinforceParameters(samples=2, discount=0.9))
    assert np.isfinite(list(agent.update(model, batch, Logarithm()).metrics.values())).all()


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (Unknown, "The reward 'Unknown' failed: KeyError: 'foo'"),
        (OnePerEpisode, "The term 'early' of .* of 'OnePerEpisode' must be a float tensor of shape"),
        (NotANumber, "The reward 'NotANumber' is nan at a step"),
    ],
)
def test_a_broken_dense_reward_is_named(names: dict[str, Any], reward: type[DenseReward], message: str) -> None:
    for env, action in ((ChunkingEnv, 1), (partial(ChunkingVectorEnv, 2), np.ones(2, np.int64))):
        made: Any = env(**names, reward=reward)
        made.reset(seed=0)
        with pytest.raises(HsEnvError, match=message):
            made.step(action)


def test_a_sum_gives_the_sparse_part_at_the_end(names: dict[str, Any]) -> None:
    actions = [0, 1] * 6 + [1]
    found = {}
    for reward in ("chunk_gain", "log_likelihood", "chunk_gain + 0.5 * log_likelihood"):
        env = ChunkingEnv(**names, reward=reward)
        found[reward] = np.array(play(env, actions, text=TEXT, label="positive")[0])
    dense, sparse, both = found.values()
    assert not sparse[:-1].any()
    np.testing.assert_allclose(both, dense + 0.5 * sparse, atol=1e-5)
    shaped = ChunkingEnv(**names, reward="chunk_gain", shaping=True)
    change = np.array(play(shaped, actions, text=TEXT, label="positive")[0]) - dense
    assert change.sum() == pytest.approx(-_first_potential(names), abs=1e-5)


def _first_potential(names: dict[str, Any]) -> float:
    env = ChunkingEnv(**names, shaping=True)
    env.reset(options={"text": TEXT, "label": "positive"})
    return float(env._slots.potential[0])


def test_first_and_last_gates_are_forced(names: dict[str, Any]) -> None:
    env = ChunkingEnv(**names)
    _, info = env.reset(options={"text": "a d"})
    masks = [info["action_mask"].tolist()]
    for _ in range(3):
        info = env.step(0)[-1]
        masks.append(info["action_mask"].tolist())
    assert masks == [[0, 1], [1, 1], [0, 1], [1, 1]]
    assert info["chunks"] == ("a", " d")
    assert play(env, [0], text="a")[1]["chunks"] == ("a",)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("more", [{}, {"shaping": True}, {"max_episode_steps": 5}])
def test_native_equals_a_vector_of_single_ones(
    names: dict[str, Any], mode: AutoresetMode, more: dict[str, Any]
) -> None:
    native = gymnasium.make_vec(ID, 3, autoreset_mode=mode, **names, **more)
    sync = gymnasium.make_vec(ID, 3, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **names, **more)
    assert isinstance(native, ChunkingVectorEnv)
    check_vector_env(native, sync, steps=60)


@pytest.mark.parametrize("mode", AutoresetMode)
def test_every_step_of_the_vector_earns_the_same(names: dict[str, Any], mode: AutoresetMode) -> None:
    """Illegal actions included, and nothing in the step that only resets."""
    native = ChunkingVectorEnv(4, **names, autoreset_mode=mode)
    sync = SyncVectorEnv([partial(ChunkingEnv, **names)] * 4, autoreset_mode=mode)
    draw, earned = np.random.default_rng(0), 0
    for envs in (native, sync):
        envs.reset(seed=3)
    for _ in range(80):
        actions = draw.integers(0, 2, 4)
        (_, mine, terminated, *_), (_, its, *_) = (envs.step(actions) for envs in (native, sync))
        np.testing.assert_allclose(mine, its, atol=1e-5)
        earned += int((mine != 0).sum())
        if mode == AutoresetMode.DISABLED and terminated.any():
            for envs in (native, sync):
                envs.reset(options={"reset_mask": terminated.copy()})
    assert earned > 250


def test_checkers_find_no_fault(names: dict[str, Any]) -> None:
    sb3 = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(ID, **names, render_mode="rgb_array").unwrapped)
        sb3.check_env(gymnasium.make(ID, **names).unwrapped)
        check_vector_env(gymnasium.make_vec(ID, 3, **names))


def test_pictures(names: dict[str, Any]) -> None:
    env = gymnasium.make(ID, **names, render_mode="ansi")
    play(env, [1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1], text=TEXT)
    plain = re.sub("\x1b.*?m", "", str(env.render()))
    assert plain.startswith("[n] [ot ] [v] [ery ] [good]")
    frame = gymnasium.make(ID, **names, render_mode="rgb_array")
    frame.reset()
    assert frame.render().shape == (288, 720, 3)  # type: ignore[union-attr]


def test_other_encoders_measure_nothing() -> None:
    env = gymnasium.make("hs_env/PhraseSegmentation-v0", reward="chunk_gain")
    env.reset()
    with pytest.raises(HsEnvError, match="needs the measures early_loss and late_loss"):
        env.step(1)
    assert not make_reward("hs_lstm").dense


@pytest.mark.parametrize("algorithm", ["stable_baselines3.PPO", "sb3_contrib.MaskablePPO"])
def test_ppo_runs_out_of_the_box(names: dict[str, Any], algorithm: str) -> None:
    module, _, kind = algorithm.partition(".")
    library = pytest.importorskip(module)
    envs = SB3VecEnv(gymnasium.make_vec(ID, 4, autoreset_mode="SameStep", **names))
    model = getattr(library, kind)("MlpPolicy", envs, n_steps=16, batch_size=32, n_epochs=1, device="cpu", seed=0)
    model.learn(64)
    assert np.isfinite(model.rollout_buffer.rewards).all()
    assert (model.rollout_buffer.rewards != 0).mean() > 0.9  # a reward at each step
