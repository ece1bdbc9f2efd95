"""Policies of Stable-Baselines3 that are saved, loaded and moved."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.common.vec_env import VecNormalize

from hs_env.agents import Agent, FixedPolicy, Reinforce, SB3Agent, load_agent, load_agent_for, make_baseline, rollout
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.problems.distillation import DISTILLATION
from hs_env.problems.segmentation import SEGMENTATION
from tests.agents.test_sb3 import BATCH, assert_same_policy, make_learner
from tests.builders import make_encoder

VOCABULARY = Vocabulary(["a", "the"])


class Doubled(FlattenExtractor):
    """A features extractor of somebody else."""

    def forward(self, observations):
        return 2 * super().forward(observations)


@pytest.mark.parametrize("name", ["ppo", "dqn", "maskable_ppo", "recurrent_ppo"])
def test_a_policy_is_saved_and_loaded(name: str, tmp_path: Path) -> None:
    kinds = {"activation_fn": torch.nn.ELU} | ({"lstm_hidden_size": 5} if name == "recurrent_ppo" else {})
    learner = make_learner(name)
    model = type(learner.model)(
        learner.model.policy_class, learner._vec_env, policy_kwargs=kinds | {"net_arch": [7, 3]}, device="cpu"
    )
    agent = SB3Agent(model, exploration=0.2)  # the algorithm stands for its policy
    assert agent.policy is model.policy
    agent.save(tmp_path / "agent.safetensors")
    model.save(tmp_path / "model.zip")
    for loaded in (
        load_agent(tmp_path / "agent.safetensors"),
        SB3Agent.load(tmp_path / "agent.safetensors"),
        SB3Agent.load(tmp_path / "model.zip", trust=True),
    ):
        assert isinstance(loaded, SB3Agent)
        assert_same_policy(agent, loaded)
        same = [rollout(make_encoder(), each, BATCH, deterministic=True).episodes.actions for each in (agent, loaded)]
        assert torch.equal(*same)
    assert SB3Agent.load(tmp_path / "agent.safetensors").exploration == 0.2


def test_a_zip_file_is_loaded_only_on_request(tmp_path: Path) -> None:
    make_learner("ppo").model.save(tmp_path / "model.zip")
    encoder = make_encoder()
    with pytest.raises(HsEnvError, match=r"contains pickles, which can execute any code\. If you trust .* --trust"):
        load_agent_for(encoder, VOCABULARY, tmp_path / "model.zip")
    assert isinstance(load_agent_for(encoder, VOCABULARY, tmp_path / "model.zip", trust=True), SB3Agent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path))
        patch.setenv("USERPROFILE", str(tmp_path))
        assert isinstance(load_agent_for(encoder, VOCABULARY, "~/model.zip", trust=True), SB3Agent)
    torch.save({"a": 1}, tmp_path / "other.zip")
    with pytest.raises(HsEnvError, match="holds no policy of Stable-Baselines3 that can be used"):
        SB3Agent.load(tmp_path / "other.zip", trust=True)


def test_what_cannot_be_saved_or_loaded_says_so(tmp_path: Path) -> None:
    learner = make_learner("ppo")
    policy_kwargs = {"features_extractor_class": Doubled}
    own = type(learner.model)("MlpPolicy", learner._vec_env, policy_kwargs=policy_kwargs, device="cpu")
    with pytest.raises(HsEnvError, match=r"with Doubled is no standard policy of ppo, .* the method save\(\)"):
        SB3Agent(own).save(tmp_path / "own.safetensors")
    Reinforce(make_encoder().state_size, SEGMENTATION).save(tmp_path / "agent.safetensors")
    with pytest.raises(HsEnvError, match=r"is a LogitPolicy\. Load it with"):
        SB3Agent.load(tmp_path / "agent.safetensors")


def test_an_agent_of_other_actions_is_refused(tmp_path: Path) -> None:
    for agent in (Reinforce(make_encoder().state_size, DISTILLATION), make_learner("ppo")):
        agent.save(tmp_path / "agent.safetensors")
        assert load_agent(tmp_path / "agent.safetensors").actions == agent.actions
        if agent.actions == SEGMENTATION.actions:
            load_agent_for(make_encoder(), VOCABULARY, tmp_path)
            continue
        with pytest.raises(HsEnvError, match=r"trained for the actions DELETE, RETAIN; those of .* are INSIDE, END"):
            load_agent_for(make_encoder(), VOCABULARY, tmp_path)


def test_a_policy_of_normalised_observations_is_refused() -> None:
    learner = make_learner("ppo")
    for norm_obs in (False, True):
        made = VecNormalize(learner._vec_env, norm_obs=norm_obs)
        model = type(learner.model)("MlpPolicy", made, device="cpu")
        if norm_obs:
            with pytest.raises(HsEnvError, match=r"This PPO was trained on normalised observations"):
                SB3Agent(model)
        else:
            SB3Agent(model)


def test_the_exploration_is_that_of_the_algorithm() -> None:
    model = make_learner("dqn").model
    model.exploration_rate = 0.3
    assert SB3Agent(model).exploration == 0.3
    assert SB3Agent(model.policy).exploration == 0


def test_a_fixed_policy_is_made_again_for_the_words_of_the_classifier(tmp_path: Path) -> None:
    other = make_baseline("function_words", Vocabulary(["the"]), SEGMENTATION)
    FixedPolicy("function_words.v1", other).save(tmp_path / "agent.safetensors")
    loaded: Agent = load_agent_for(make_encoder(), VOCABULARY, tmp_path)
    assert type(loaded) is type(other)
    assert loaded.vocabulary is VOCABULARY


@pytest.mark.parametrize("name", ["ppo", "dqn", "recurrent_ppo"])
def test_tensors_are_moved_to_the_device_of_the_policy(name: str) -> None:
    """The device `meta` computes shapes only, so it fails as soon as a value is asked for, and not before."""
    learner = make_learner(name)
    learner.policy.to("meta")
    with pytest.raises(RuntimeError, match=r"called on meta tensor|copy out of meta tensor"):
        rollout(make_encoder(), learner, BATCH, deterministic=True)
