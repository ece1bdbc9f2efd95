"""What an episode is: dynamics, information, rendering, copies, errors."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded

from hs_env.envs.phrase_segmentation import PhraseSegmentationEnv
from hs_env.envs.slots import STATE_LIMIT
from hs_env.models import Classifier
from hs_env.rewards import REWARDS, LogLikelihood, Reward, make_reward
from hs_env.types import END, INSIDE, Episodes, HsEnvError
from tests.envs.builders import TEXT, read

ALWAYS = {"action_mask", "position", "length", "index", "token"}
AT_THE_END = {"log_probs", "prediction", "correct", "num_phrases", "phrases", "reward_terms"}


# Dynamics


def test_equals_the_encoder_and_the_reward(env: PhraseSegmentationEnv) -> None:
    resources = env._resources
    generator = torch.Generator().manual_seed(0)
    for index in range(len(resources.sentences)):
        batch = resources.encoded.batch(torch.tensor([index]))
        actions = torch.randint(0, 2, batch.tokens.shape, generator=generator)
        actions[0, -1] = END
        reward, info = read(env, actions[0].tolist(), indices=index)
        log_probs = resources.encoder(batch, actions)
        rewarded = make_reward("hs_lstm")(Episodes(batch, actions, log_probs))
        np.testing.assert_allclose(info["log_probs"], log_probs[0], atol=1e-5)
        assert reward == pytest.approx(float(rewarded.total), abs=1e-5)
        assert info["reward_terms"] == {
            name: pytest.approx(float(term), abs=1e-5) for name, term in rewarded.terms.items()
        }
        assert sum(info["reward_terms"].values()) == pytest.approx(reward, abs=1e-6)
        assert info["correct"] is (info["prediction"] == int(batch.labels))


def test_observations_are_the_states_of_the_encoder(env: PhraseSegmentationEnv) -> None:
    encoder = env._resources.encoder
    observation, _ = env.reset(options={"indices": 5})
    state = encoder.start(env._resources.encoded.batch(torch.tensor([5])))
    while state.reading:
        np.testing.assert_allclose(observation, encoder.observe(state)[0], atol=1e-6)
        assert np.abs(observation).max() < STATE_LIMIT
        assert observation in env.observation_space
        state = encoder.advance(state, torch.tensor([INSIDE]))
        observation = env.step(INSIDE)[0]
    np.testing.assert_allclose(observation, encoder.observe(state)[0], atol=1e-6)


def test_observations_are_clipped(env: PhraseSegmentationEnv) -> None:
    env.reset(options=TEXT)
    env._slots.memory = torch.full_like(env._slots.memory, 1e6)
    observation = env.step(INSIDE)[0]
    assert observation.max() == STATE_LIMIT
    assert observation in env.observation_space


def test_the_last_action_is_forced(env: PhraseSegmentationEnv) -> None:
    inside, end = (read(env, [END, INSIDE, INSIDE, INSIDE, INSIDE, last], **TEXT) for last in (INSIDE, END))
    assert inside[0] == end[0]
    assert inside[1]["phrases"] == end[1]["phrases"] == ("the", "movie is not very good")


def test_masks(env: PhraseSegmentationEnv) -> None:
    _, info = env.reset(options={"text": "not good"})
    assert info["action_mask"].tolist() == env.action_masks().tolist() == [1, 1]
    info = env.step(INSIDE)[-1]
    assert info["action_mask"].tolist() == env.action_masks().tolist() == [0, 1]
    assert env.action_space.sample(info["action_mask"]) == END
    assert info["action_mask"].dtype == np.int8
    assert env.action_masks().dtype == np.bool_
    info = env.step(END)[-1]
    assert info["action_mask"].tolist() == [1, 1]


def test_a_sentence_of_one_word_ends_at_once(env: PhraseSegmentationEnv) -> None:
    _, info = env.reset(options={"indices": 0})
    assert info["length"] == 1
    assert info["action_mask"].tolist() == [0, 1]
    _, reward, terminated, _, info = env.step(INSIDE)
    assert terminated is True
    assert type(reward) is float
    assert info["num_phrases"] == 1


@pytest.mark.parametrize("action", [1, True, np.int64(1), np.array(1), np.int8(1)])
def test_actions_of_every_integer_type(env: PhraseSegmentationEnv, action: Any) -> None:
    env.reset(options=TEXT)
    env.step(action)
    assert env._slots.actions[0, 0] == END


def test_weights_are_frozen(env: PhraseSegmentationEnv) -> None:
    assert not env._resources.encoder.training
    assert not any(weight.requires_grad for weight in env._resources.encoder.parameters())
    assert read(env, [], **TEXT)[0] == read(env, [], **TEXT)[0]


# Information


def test_information(env: PhraseSegmentationEnv) -> None:
    types: dict[str, set[type]] = {}
    for index in range(10):
        _, info = env.reset(options={"indices": index})
        words, terminated = env._resources.sentences[index].words, False
        ids = [*env._resources.classifier.vocabulary.encode(words), 0]
        for position in range(len(words) + 1):
            assert info.keys() == (ALWAYS | AT_THE_END if terminated else ALWAYS)
            assert (info["position"], info["length"], info["index"]) == (position, len(words), index)
            assert info["token"] == ids[position]
            for key, value in info.items():
                types.setdefault(key, set()).add(type(value))
            if not terminated:
                _, _, terminated, _, info = env.step(position % 2)
        assert terminated
        assert " ".join(info["phrases"]).split() == list(words)
        assert info["num_phrases"] == len(info["phrases"])
        assert info["log_probs"].dtype == np.float32
        assert np.exp(info["log_probs"]).sum() == pytest.approx(1)
    assert {key: kinds.pop() for key, kinds in types.items() if len(kinds) == 1} == {
        **dict.fromkeys(("position", "length", "index", "token", "prediction", "num_phrases"), int),
        **dict.fromkeys(("action_mask", "log_probs"), np.ndarray),
        **{"correct": bool, "phrases": tuple, "reward_terms": dict},
    }


def test_nothing_returned_shares_memory(env: PhraseSegmentationEnv) -> None:
    kept = [env.reset(options={"text": "good good good good"})]
    kept += [(step[0], step[-1]) for step in (env.step(INSIDE) for _ in range(4))]
    before = copy.deepcopy(kept)
    for observation, info in kept[:-1]:
        observation[:] = 7
        info["action_mask"][:] = 7
    np.testing.assert_array_equal(kept[-1][0], before[-1][0])
    assert env.action_masks().all()


# Rendering


def test_render_as_text(names: dict[str, Any]) -> None:
    env = PhraseSegmentationEnv(**names, render_mode="ansi")
    env.reset(options={**TEXT, "label": "negative"})

    def text() -> str:
        drawn = env.render()
        assert isinstance(drawn, str)
        return re.sub(r"\x1b\[[0-9;]*m", "", drawn)

    assert text() == "· the movie is not very good"
    env.step(INSIDE)
    assert text() == "[the …  · movie is not very good"
    env.step(END)
    assert text() == "[the movie]  · is not very good"
    for _ in range(4):
        info = env.step(INSIDE)[-1]
    assert text().startswith("[the movie] [is not very good]  → ")
    assert f"{np.exp(info['log_probs'].max()):.2f}" in text()
    assert ("(gold negative)" in text()) is not info["correct"]


def test_render_as_frames(names: dict[str, Any]) -> None:
    env = PhraseSegmentationEnv(**names, render_mode="rgb_array")
    env.reset(options=TEXT)
    frames = [env.render()]
    for _ in range(6):
        env.step(INSIDE)
        frames.append(env.render())
    assert {(frame.shape, frame.dtype.name) for frame in frames if isinstance(frame, np.ndarray)} == {
        ((288, 720, 3), "uint8")
    }
    assert not np.array_equal(frames[0], frames[-1])  # type: ignore[arg-type]


# Copies


@pytest.mark.parametrize("copied", [lambda env: pickle.loads(pickle.dumps(env)), copy.deepcopy])
def test_copies_go_on_alike(env: PhraseSegmentationEnv, copied: Any) -> None:
    env.reset(seed=3)
    env.reset(options=TEXT)
    env.step(INSIDE)
    other = copied(env)
    assert other._resources.encoder is env._resources.encoder
    for action in (END, INSIDE, INSIDE, END, INSIDE):
        (mine, *ours), (its, *others) = env.step(action), other.step(action)
        np.testing.assert_array_equal(mine, its)
        np.testing.assert_equal(ours, others)
    assert env.reset()[1]["index"] == other.reset()[1]["index"]


def test_a_pickle_holds_no_weights(env: PhraseSegmentationEnv) -> None:
    env.reset(options={"indices": 0})
    assert "word_level.weight_hh" in env._resources.encoder.state_dict()
    assert b"word_level" not in pickle.dumps(env)


# Errors


def test_steps_out_of_order(names: dict[str, Any]) -> None:
    env = PhraseSegmentationEnv(**names, render_mode="ansi")
    for use in (lambda: env.step(INSIDE), env.render, env.action_masks):
        with pytest.raises(ResetNeeded, match=r"There is no sentence yet: call reset\(\)"):
            use()
    read(env, [], **TEXT)
    with pytest.raises(ResetNeeded, match="read to its end"):
        env.step(INSIDE)
    assert isinstance(env.render(), str)


@pytest.mark.parametrize("action", [2, -1, 0.5, "END", None, [1], np.array([1])])
def test_bad_actions(env: PhraseSegmentationEnv, action: Any) -> None:
    env.reset(options=TEXT)
    with pytest.raises(HsEnvError, match=r"expected INSIDE \(0\) or END \(1\)"):
        env.step(action)
    env.step(END)


def test_what_a_reward_raises_comes_through(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Reward):
        name = "broken"

        def terms(self, episodes: Episodes) -> dict[str, torch.Tensor]:
            return {"oops": episodes.log_likelihood / 0}

    monkeypatch.setitem(REWARDS._entries, "broken.v1", Broken)
    env = PhraseSegmentationEnv(**names, reward="broken")
    with pytest.raises(HsEnvError, match="'oops' of the reward 'broken' is -inf for sentence 4"):
        read(env, [], indices=4)


def test_rewards_get_ordinary_tensors(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Curious(LogLikelihood):
        def terms(self, episodes: Episodes) -> dict[str, torch.Tensor]:
            tensors = [episodes.actions, episodes.log_probs, episodes.sentences.labels, episodes.sentences.tokens]
            assert not any(tensor.is_inference() for tensor in tensors)
            assert episodes.sentences.boundaries is not None
            return super().terms(episodes)

    monkeypatch.setitem(REWARDS._entries, "curious.v1", Curious)
    read(PhraseSegmentationEnv(**names, reward="curious"), [], indices=4)


def test_saved_classifier_is_the_one_that_rewards(env: PhraseSegmentationEnv, names: dict[str, Any]) -> None:
    saved = Classifier.load(names["classifier"])
    batch = env._resources.encoded.batch(torch.tensor([7]))
    log_probs = saved.model(batch, torch.ones_like(batch.tokens))
    _, info = read(env, [END] * 9, indices=7)
    np.testing.assert_allclose(info["log_probs"], log_probs[0].detach(), atol=1e-5)
