"""Runs, environments and agents on word vectors that depend on the sentence."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from rich.console import Console

from hs_env.agents import LearnedBoundaries, PolicyInput, rollout
from hs_env.envs.checker import check_vector_env
from hs_env.errors import HsEnvError
from hs_env.models import Classifier, StructuredEncoder, check_encoder
from hs_env.training import Run, TrainConfig, TrainingData, resume, train
from hs_env.types import Sentence
from tests.tiny_encoder import make_tiny_encoder
from tests.training.stopped import train_almost_to_the_end

QUIET = Console(quiet=True)
ENVIRONMENTS = {"hs_lstm": "hs_env/PhraseSegmentation-v0", "id_lstm": "hs_env/InformationDistillation-v0"}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return TrainConfig(
        corpus="phrases:train=60,dev=20,test=20",
        vectors=f"hf:{make_tiny_encoder(tmp_path_factory.mktemp('encoder'))}@1",
        model_parameters={"hidden_size": 6},
        batch_size=16,
        warm_epochs=1,
        pnet_epochs=1,
        joint_epochs=1,
        threads=1,
        agent_parameters={"samples": 2, "hidden_size": 4},
    )


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def run(request: pytest.FixtureRequest, config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(replace(config, model=request.param), tmp_path_factory.mktemp("runs") / request.param, QUIET)


def encoder_of(run: Run) -> StructuredEncoder:
    assert isinstance(run.classifier.model, StructuredEncoder)
    return run.classifier.model


def environment_of(run: Run) -> tuple[str, dict[str, str]]:
    names = {"corpus": run.config.corpus, "classifier": str(run.folder), "split": "dev"}
    return ENVIRONMENTS[run.config.model], names


def test_a_saved_classifier_computes_them_itself(run: Run) -> None:
    classifier = Classifier.load(run.folder)
    dev = TrainingData.load(run.config).splits["dev"]
    batch = classifier.batch(TrainingData.load(run.config).corpus.splits["dev"])
    encoder, actions = encoder_of(run), torch.ones_like(batch.tokens)
    with torch.no_grad():
        torch.testing.assert_close(encoder(batch, actions), encoder(dev.batch(torch.arange(20)), actions))
        words = tuple("the movie is not very good".split())
        given = classifier.batch([Sentence(words, 0), Sentence(words[::-1], 0)])
        for each, log_probs in zip((words, words[::-1]), encoder(given, torch.ones(2, 6).long()), strict=True):
            alone = classifier.batch([Sentence(each, 0)])
            torch.testing.assert_close(encoder(alone, torch.ones(1, 6).long())[0], log_probs, atol=1e-3, rtol=1e-3)


def test_both_routes_agree(run: Run) -> None:
    encoder, batch = encoder_of(run), TrainingData.load(run.config).splits["dev"].batch(torch.tensor([3, 1, 7]))
    actions = torch.randint(0, 2, (6, batch.tokens.shape[1]), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(encoder(batch, actions), encoder._step_by_step(batch, actions))


def test_the_environment_gives_what_a_rollout_gives(run: Run) -> None:
    name, arguments = environment_of(run)
    env, encoder = gym.make(name, **arguments).unwrapped, encoder_of(run)
    data = TrainingData.load(run.config)
    for index in (0, 5):
        episode = rollout(encoder, run.agent, data.splits["dev"].batch(torch.tensor([index])), deterministic=True)
        observation, info = env.reset(options={"indices": index})
        ended, actions = False, []
        while not ended:
            legal = torch.from_numpy(info["action_mask"]).bool()[None]
            with torch.no_grad():
                decision = run.agent.act(PolicyInput(torch.from_numpy(observation)[None], legal, torch.zeros(1, 0)))
            actions.append(int(decision.actions))
            observation, _, ended, _, info = env.step(actions[-1])
        assert actions == episode.episodes.actions[0].tolist()


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_the_vector_environment_equals_single_ones(run: Run, mode: str) -> None:
    name, arguments = environment_of(run)
    sync = gym.vector.SyncVectorEnv([lambda: gym.make(name, **arguments).unwrapped] * 3, autoreset_mode=mode)
    check_vector_env(gym.make_vec(name, 3, autoreset_mode=mode, **arguments), sync, steps=60)


def test_texts_are_read(run: Run) -> None:
    name, arguments = environment_of(run)
    envs = gym.make_vec(name, 2, autoreset_mode="Disabled", **arguments)
    long = "the movie is not very good and " * 9  # longer than any sentence of the corpus
    observations, _ = envs.reset(options={"text": ["good film", long]})
    single = gym.make(name, **arguments).unwrapped
    for row, text in enumerate(("good film", long)):
        seen, _ = single.reset(options={"text": text})
        np.testing.assert_allclose(observations[row], seen, atol=1e-3)
    check_env(single)


def test_an_agent_of_stable_baselines3_learns_on_them(config: TrainConfig, tmp_path: Path) -> None:
    settings = {"slots": 4, "steps": 8, "samples": 1}
    run = train(replace(config, agent="maskable_ppo", agent_parameters=settings), tmp_path / "run", QUIET)
    assert Run.load(tmp_path / "run").config.agent == "maskable_ppo"
    assert "words.weight" not in run.classifier.model.state_dict()


def test_a_classifier_without_structure_reads_them(config: TrainConfig, tmp_path: Path) -> None:
    run = train(replace(config, model="bilstm", agent_parameters={}), tmp_path / "run", QUIET)
    assert run.classifier.contextual is not None
    assert run.classifier.contextual.layer == 1


def test_a_batch_without_them_is_refused(run: Run) -> None:
    batch = run.classifier.batch([Sentence(("good",), 0)])
    with pytest.raises(HsEnvError, match=r"contextual word vectors, but the batch has none. Make batches with"):
        encoder_of(run)(replace(batch, features=None), torch.ones(1, 1).long())
    with pytest.raises(HsEnvError, match=r"uses contextual word vectors\. Check a new one"):
        check_encoder(encoder_of(run))


def test_another_encoder_in_the_same_place_is_refused(config: TrainConfig, tmp_path: Path) -> None:
    encoder = make_tiny_encoder(tmp_path / "encoder")
    stopped, own = tmp_path / "stopped", replace(config, vectors=f"hf:{encoder}@1")
    run = train(own, tmp_path / "run", QUIET)
    train_almost_to_the_end(own, stopped)
    make_tiny_encoder(encoder, seed=1)
    with pytest.raises(HsEnvError, match="trained on word vectors of another encoder than the one in"):
        Classifier.load(run.folder)
    with pytest.raises(HsEnvError, match="or the encoder of its word vectors has changed"):
        resume(stopped, QUIET)
    make_tiny_encoder(encoder)
    assert resume(stopped, QUIET).classifier.contextual == Classifier.load(run.folder).contextual
    shutil.rmtree(encoder)
    with pytest.raises(
        HsEnvError, match=r"word vectors of the classifier in .* cannot be computed\. There is no folder"
    ):
        Classifier.load(run.folder)


def test_a_policy_reads_the_vectors_of_its_own_encoder(run: Run, config: TrainConfig, tmp_path: Path) -> None:
    other = f"hf:{make_tiny_encoder(tmp_path / 'other', seed=1)}@2"  # of the same width
    settings = replace(config, model="hm_lstm", vectors=other, agent_parameters={})
    hm_lstm = train(settings, tmp_path / "run", QUIET).classifier
    sentences = TrainingData.load(config.resolve()).corpus.splits["dev"]
    expected = hm_lstm.model.parse(hm_lstm.batch(sentences)).boundaries[..., 0]
    policy = LearnedBoundaries.load(run.classifier.vocabulary, tmp_path / "run")
    assert torch.equal(policy.plan(run.classifier.batch(sentences)), expected)
    assert torch.equal(policy.plan(replace(run.classifier.batch(sentences), features=None)), expected)
