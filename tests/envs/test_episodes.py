"""What an episode is, whatever is decided: dynamics, information, rendering, copies, errors."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded

from hs_env.envs.single import EncoderEnv
from hs_env.envs.slots import STATE_LIMIT
from hs_env.errors import HsEnvError
from hs_env.models import HSLSTM, Classifier
from hs_env.rewards import REWARDS, LogLikelihood, Reward, make_reward
from hs_env.types import Episodes
from tests.envs.builders import TEXT, Problem, read

ALWAYS = {"action_mask", "position", "length", "index", "token"}
AT_THE_END = {"log_probs", "prediction", "correct", "reward_terms"}


# Dynamics


def test_equals_the_encoder_and_the_reward(env: EncoderEnv, problem: Problem) -> None:
    resources = env._resources
    generator = torch.Generator().manual_seed(0)
    for index in range(len(resources.sentences)):
        batch = resources.encoded.batch(torch.tensor([index]))
        asked = torch.randint(0, 2, batch.tokens.shape, generator=generator)
        reward, info = read(env, asked[0].tolist(), indices=index)
        log_probs = resources.encoder(batch, asked)
        taken = env._slots.actions[:, : asked.shape[1]]
        assert torch.equal(taken[:, :-1], asked[:, :-1])
        rewarded = make_reward(problem.reward)(Episodes(batch, taken, log_probs))
        np.testing.assert_allclose(info["log_probs"], log_probs[0], atol=1e-5)
        assert reward == pytest.approx(float(rewarded.total), abs=1e-5)
        assert info["reward_terms"] == {
            name: pytest.approx(float(term), abs=1e-5) for name, term in rewarded.terms.items()
        }
        assert sum(info["reward_terms"].values()) == pytest.approx(reward, abs=1e-6)
        assert info["correct"] is (info["prediction"] == int(batch.labels))


def test_observations_are_the_states_of_the_encoder(env: EncoderEnv) -> None:
    encoder = env._resources.encoder
    observation, _ = env.reset(options={"indices": 5})
    state = encoder.start(env._resources.encoded.batch(torch.tensor([5])))
    while state.reading:
        np.testing.assert_allclose(observation, encoder.observe(state)[0], atol=1e-6)
        assert np.abs(observation).max() < STATE_LIMIT
        assert observation in env.observation_space
        state = encoder.advance(state, torch.tensor([0]))
        observation = env.step(0)[0]
    np.testing.assert_allclose(observation, encoder.observe(state)[0], atol=1e-6)


def test_observations_are_clipped(env: EncoderEnv) -> None:
    env.reset(options=TEXT)
    env._slots.memory = torch.full_like(env._slots.memory, 1e6)
    observation = env.step(0)[0]
    assert observation.max() == STATE_LIMIT
    assert observation in env.observation_space


def test_a_sentence_of_one_word_ends_at_once(env: EncoderEnv, problem: Problem) -> None:
    _, info = env.reset(options={"indices": 0})
    assert info["length"] == 1
    assert info["action_mask"].tolist() == [0, 1]
    _, reward, terminated, _, info = env.step(0)
    assert terminated is True
    assert type(reward) is float
    assert info[problem.structure[0]] == 1


@pytest.mark.parametrize("action", [1, True, np.int64(1), np.array(1), np.int8(1)])
def test_actions_of_every_integer_type(env: EncoderEnv, action: Any) -> None:
    env.reset(options=TEXT)
    env.step(action)
    assert env._slots.actions[0, 0] == 1


def test_weights_are_frozen(env: EncoderEnv) -> None:
    assert not env._resources.encoder.training
    assert not any(weight.requires_grad for weight in env._resources.encoder.parameters())
    assert read(env, [], **TEXT)[0] == read(env, [], **TEXT)[0]


# Information


def test_information(env: EncoderEnv, problem: Problem) -> None:
    types: dict[str, set[type]] = {}
    count, structure = problem.structure
    for index in range(10):
        _, info = env.reset(options={"indices": index})
        words, terminated = env._resources.sentences[index].words, False
        ids = [*env._resources.classifier.vocabulary.encode(words), 0]
        for position in range(len(words) + 1):
            assert info.keys() == (ALWAYS | AT_THE_END | {count, structure} if terminated else ALWAYS)
            assert (info["position"], info["length"], info["index"]) == (position, len(words), index)
            assert info["token"] == ids[position]
            for key, value in info.items():
                types.setdefault(key, set()).add(type(value))
            if not terminated:
                _, _, terminated, _, info = env.step(position % 2)
        assert terminated
        assert info[count] == len(info[structure])
        assert info["log_probs"].dtype == np.float32
        assert np.exp(info["log_probs"]).sum() == pytest.approx(1)
    assert {key: kinds.pop() for key, kinds in types.items() if len(kinds) == 1} == {
        **dict.fromkeys(("position", "length", "index", "token", "prediction", count), int),
        **dict.fromkeys(("action_mask", "log_probs"), np.ndarray),
        **{"correct": bool, structure: tuple, "reward_terms": dict},
    }


def test_nothing_returned_shares_memory(env: EncoderEnv) -> None:
    kept = [env.reset(options={"text": "good good good good"})]
    kept += [(step[0], step[-1]) for step in (env.step(0) for _ in range(4))]
    before = copy.deepcopy(kept)
    for observation, info in kept[:-1]:
        observation[:] = 7
        info["action_mask"][:] = 7
    np.testing.assert_array_equal(kept[-1][0], before[-1][0])
    assert env.action_masks().all()


# Rendering


def test_render_as_frames(problem: Problem, names: dict[str, Any]) -> None:
    env = problem.single(**names, render_mode="rgb_array")
    env.reset(options=TEXT)
    frames = [env.render()]
    for _ in range(6):
        env.step(0)
        frames.append(env.render())
    assert {(frame.shape, frame.dtype.name) for frame in frames if isinstance(frame, np.ndarray)} == {
        ((288, 720, 3), "uint8")
    }
    assert not np.array_equal(frames[0], frames[-1])  # type: ignore[arg-type]


# Copies


@pytest.mark.parametrize("copied", [lambda env: pickle.loads(pickle.dumps(env)), copy.deepcopy])
def test_copies_go_on_alike(env: EncoderEnv, copied: Any) -> None:
    env.reset(seed=3)
    env.reset(options=TEXT)
    env.step(0)
    other = copied(env)
    assert other._resources.encoder is env._resources.encoder
    for action in (1, 0, 0, 1, 0):
        (mine, *ours), (its, *others) = env.step(action), other.step(action)
        np.testing.assert_array_equal(mine, its)
        np.testing.assert_equal(ours, others)
    assert env.reset()[1]["index"] == other.reset()[1]["index"]


def test_a_pickle_holds_no_weights(env: EncoderEnv) -> None:
    env.reset(options={"indices": 0})
    assert "word_level.weight_hh" in env._resources.encoder.state_dict()
    assert b"word_level" not in pickle.dumps(env)


# Errors


def test_steps_out_of_order(problem: Problem, names: dict[str, Any]) -> None:
    env = problem.single(**names, render_mode="ansi")
    for use in (lambda: env.step(0), env.render, env.action_masks):
        with pytest.raises(ResetNeeded, match=r"There is no sentence yet: call reset\(\)"):
            use()
    read(env, [], **TEXT)
    with pytest.raises(ResetNeeded, match="read to its end"):
        env.step(0)
    assert isinstance(env.render(), str)


@pytest.mark.parametrize("action", [2, -1, 0.5, "END", None, [1], np.array([1])])
def test_bad_actions(env: EncoderEnv, problem: Problem, action: Any) -> None:
    env.reset(options=TEXT)
    with pytest.raises(HsEnvError, match=r"expected {} \(0\) or {} \(1\)".format(*problem.actions)):
        env.step(action)
    env.step(1)


def test_what_a_reward_raises_comes_through(
    problem: Problem, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Reward):
        name = "broken"

        def terms(self, episodes: Episodes) -> dict[str, torch.Tensor]:
            return {"oops": episodes.log_likelihood / 0}

    monkeypatch.setitem(REWARDS._entries, "broken.v1", Broken)
    env = problem.single(**names, reward="broken")
    with pytest.raises(HsEnvError, match="'oops' of the reward 'broken' is -inf for sentence 4"):
        read(env, [], indices=4)


def test_rewards_get_ordinary_tensors(problem: Problem, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Curious(LogLikelihood):
        def terms(self, episodes: Episodes) -> dict[str, torch.Tensor]:
            tensors = [episodes.actions, episodes.log_probs, episodes.sentences.labels, episodes.sentences.tokens]
            assert not any(tensor.is_inference() for tensor in tensors)
            assert (episodes.sentences.gold_actions is not None) == (problem.encoder is HSLSTM)
            return super().terms(episodes)

    monkeypatch.setitem(REWARDS._entries, "curious.v1", Curious)
    read(problem.single(**names, reward="curious"), [], indices=4)


def test_saved_classifier_is_the_one_that_rewards(env: EncoderEnv, names: dict[str, Any]) -> None:
    saved = Classifier.load(names["classifier"])
    batch = env._resources.encoded.batch(torch.tensor([7]))
    log_probs = saved.model(batch, torch.ones_like(batch.tokens))
    _, info = read(env, [1] * 9, indices=7)
    np.testing.assert_allclose(info["log_probs"], log_probs[0].detach(), atol=1e-5)
