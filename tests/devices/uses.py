"""What users do with the package, on a device: each use returns numbers, which must not depend on the device.

The uses come from the registries, so that a new environment, model, agent, baseline or estimator is used too. Helpers
name the device of every tensor, since some tests change the default one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, Final

import gymnasium
import numpy as np
import torch
from rich.console import Console
from torch import Tensor

import hs_env
from hs_env.agents import (
    AGENTS,
    BASELINES,
    ESTIMATORS,
    AgentSetting,
    Baseline,
    LearningAgent,
    Reinforce,
    beam_search,
    best_actions,
    load_agent,
    make_baseline,
    rollout,
    skim,
)
from hs_env.compute import CPU, Device, find_device, seeded
from hs_env.corpora import Vocabulary, load_corpus
from hs_env.corpora.encoded import EncodedSplit
from hs_env.evaluation.deletions import Deletions
from hs_env.evaluation.recurring import Recurring
from hs_env.language import LMConfig
from hs_env.language.cores import CORES
from hs_env.language.models import LanguageModel
from hs_env.language.operations import operations_in
from hs_env.language.sampling import boundaries_in, sample_text
from hs_env.language.texts import Text
from hs_env.language.trainer import LMTrainer
from hs_env.metrics.predictions import collect
from hs_env.metrics.scores import greedy_episodes, sampled_predictions
from hs_env.models import MODELS, Classifier, FlatClassifier, StructuredEncoder
from hs_env.models.h_net.routers import RouterName
from hs_env.models.hm.layers import HMLSTM
from hs_env.problems import PROBLEMS, environment_id
from hs_env.rewards import make_reward
from hs_env.training import TrainConfig
from hs_env.training.data import TrainingData
from hs_env.training.flat import FlatTrainer
from hs_env.training.trainer import Trainer
from hs_env.types import Sentence, SentenceBatch

gymnasium.register_envs(hs_env)

Use = Callable[[Device, Path], Iterator[Any]]
"""Function of a device and an empty folder that yields results: numbers, arrays, tensors, or dicts of them."""

VOCABULARY: Final = Vocabulary("the movie is not very good bad dull superb plot and .".split())
LABELS: Final = ("negative", "neutral", "positive")
LENGTHS: Final = (4, 1, 7, 3)
QUIET: Final = Console(quiet=True)
TRAINING: Final = {
    "corpus": "phrases:train=32,dev=6,test=6",
    "vectors": "random:5",
    "batch_size": 16,
    "warm_epochs": 1,
    "joint_epochs": 1,
    "class_weights": "balanced",
    "label_smoothing": 0.1,
    "threads": 1,
}


def sentences(problem: Any = None) -> list[Sentence]:
    """Sentences of different lengths, with gold actions if they are for a decision problem."""
    draw = np.random.default_rng(0)
    found = []
    for number, length in enumerate(LENGTHS):
        gold = None
        if problem is not None:
            sequences = problem.sequences(length)
            gold = tuple(sequences[int(draw.integers(len(sequences)))].tolist())
        words = tuple(VOCABULARY.words[index] for index in draw.integers(2, len(VOCABULARY), length))
        found.append(Sentence(words, number % len(LABELS), gold))
    return found


def batch_on(device: torch.device, problem: Any = None) -> SentenceBatch:
    """These sentences as a batch."""
    split = EncodedSplit.from_sentences(sentences(problem), VOCABULARY).to(device)
    return split.batch(torch.arange(len(split), device=CPU))


def model_on(device: torch.device, name: str) -> Any:
    """A small model with random weights, in eval mode."""
    with torch.random.fork_rng(devices=[]), CPU:
        torch.default_generator.manual_seed(0)
        model = MODELS.get(name)(len(VOCABULARY), len(LABELS), embedding_size=5, hidden_size=6)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2)  # so that actions matter
    return model.eval().to(device)


def gradients(model: torch.nn.Module, value: Tensor) -> dict[str, Tensor]:
    named = dict(model.named_parameters())
    found = torch.autograd.grad(value, list(named.values()), allow_unused=True, materialize_grads=True)
    return dict(zip(named, found, strict=True))


def encoders() -> list[str]:
    return [name for name, kind in MODELS.items() if issubclass(kind, StructuredEncoder)]


def encoder_for(problem: Any) -> str:
    return next(name for name in encoders() if MODELS.get(name).problem == problem)  # type: ignore[union-attr]


# The uses ------------------------------------------------------------------------------------------------------------


def use_single_environment(problem: str, device: Device, folder: Path) -> Iterator[Any]:
    env = gymnasium.make(environment_id(problem), split="test", shaping=True, device=device, render_mode="ansi")
    draw = np.random.default_rng(0)
    yield from env.reset(seed=0)
    observation, info = env.reset(options={"text": "the movie is not good", "label": 0})
    finished = False
    while not finished:
        yield {"observation": observation, **info}
        action = draw.choice(np.flatnonzero(info["action_mask"]))
        observation, reward, finished, _, info = env.step(action)
        yield reward
    yield info, env.render()
    yield env.unwrapped.action_masks()  # type: ignore[attr-defined]
    env.reset(options={"text": "not good"})


def use_vector_environment(problem: str, mode: str, device: Device, folder: Path) -> Iterator[Any]:
    arguments = {"split": "test", "device": device, "shaping": mode == "SameStep", "autoreset_mode": mode}
    limit = {"max_episode_steps": 5} if mode == "NextStep" else {}
    env: Any = gymnasium.make_vec(environment_id(problem), 4, **arguments, **limit)
    draw = np.random.default_rng(0)
    observation, info = env.reset(seed=0)
    for _ in range(12):
        actions = draw.integers(0, env.single_action_space.n, 4)
        observation, reward, terminated, truncated, info = env.step(actions)
        yield {"observation": observation, "reward": reward, "masks": env.unwrapped.action_masks(), **info}
        if mode == "Disabled" and (done := terminated | truncated).any():
            yield env.reset(options={"reset_mask": done})[0]


def use_model(name: str, device: Device, folder: Path) -> Iterator[Any]:
    device = find_device(device)
    model = model_on(device, name)
    problem = model.problem if isinstance(model, StructuredEncoder) else None
    batch = batch_on(device, problem)
    if isinstance(model, FlatClassifier):
        log_probs = model(batch)
        yield log_probs, gradients(model, log_probs[:, 0].sum())
        with torch.no_grad():
            yield model(batch)
    else:
        k = model.problem.num_actions
        actions = torch.randint(0, k, (2 * len(batch), max(LENGTHS)), generator=seeded(0), device=CPU).to(device)
        hard, relaxed = model(batch, actions), model(batch, torch.nn.functional.one_hot(actions, k).float())
        state = model.unroll(model.start(batch, 2), actions.shape[1], lambda t, _: actions[:, t])
        for log_probs in (hard, relaxed, model.finish(state)):
            yield log_probs, gradients(model, log_probs[:, 0].sum())
        yield model.observe(state)
        torch.testing.assert_close(hard, model.finish(state), rtol=0, atol=1e-5)
    Classifier(model, VOCABULARY, LABELS, "glove", {}).save(folder / "classifier.safetensors")
    loaded = Classifier.load(folder, device)
    assert loaded.device == device
    yield loaded.model.state_dict()


def use_agent(name: str, device: Device, folder: Path) -> Iterator[Any]:
    device = find_device(device)
    encoder, kind = model_on(device, "hs_lstm"), AGENTS.get(name)
    batch, reward = batch_on(device, encoder.problem), make_reward("hs_lstm")
    warm_start = make_baseline("function_words", VOCABULARY, encoder.problem)
    small = {"slots": 4, "steps": 8, "samples": 2}
    known = {each.name for each in fields(kind.parameters)}
    parameters = kind.parameters(**{key: value for key, value in small.items() if key in known})
    parameters = kind.resolve(parameters, encoder.problem)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        agent = kind.make(AgentSetting(encoder, batch, reward, warm_start, "function_words"), parameters)
    yield from _learning(agent, encoder, batch, reward)
    state = agent.state_dict()
    agent.load_state_dict(state)
    agent.save(folder / "agent.safetensors")
    loaded = load_agent(folder, device)
    yield rollout(encoder, loaded, batch, deterministic=True).episodes.log_probs


def _learning(agent: LearningAgent, encoder: StructuredEncoder, batch: SentenceBatch, reward: Any) -> Iterator[Any]:
    for seed in range(2):
        update = agent.update(encoder, batch, reward, generator=seeded(seed))
        yield update.episodes.actions, update.episodes.log_probs, update.metrics


def use_estimator(name: str, device: Device, folder: Path) -> Iterator[Any]:
    device = find_device(device)
    kind = AGENTS.get("reinforce").parameters
    encoder = model_on(device, "hs_lstm")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        settings = {"reader": "bilstm", "reader_size": 3, "updates": 2} if name.startswith("ppo") else {}
        parameters = kind(estimator=name, samples=2, hidden_size=3, **settings)
        size = len(VOCABULARY) if settings else 0
        agent = Reinforce(encoder.state_size, encoder.problem, parameters, vocabulary_size=size, device=device)
    reward = make_reward("log_likelihood - 0.3 * phrases")
    yield from _learning(agent, encoder, batch_on(device), reward)
    yield agent.pnet.state_dict()


def use_policy_of_trees(policy: str, reader: str, device: Device, folder: Path) -> Iterator[Any]:
    device = find_device(device)
    encoder = model_on(device, "tree_lstm")
    settings = {"policy": policy, "reader": reader, "observe": False, "reader_size": 3, "hidden_size": 3}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        parameters = AGENTS.get("reinforce").parameters(samples=2, **settings)
        agent = Reinforce(
            encoder.state_size, encoder.problem, parameters, vocabulary_size=len(VOCABULARY), device=device
        )
    yield from _learning(agent, encoder, batch_on(device), make_reward("log_likelihood"))


def use_jumps(device: Device, folder: Path) -> Iterator[Any]:
    device = find_device(device)
    encoder = model_on(device, "skim_lstm")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        agent = Reinforce(encoder.state_size, encoder.problem, device=device)
    episodes = skim(encoder, agent, batch_on(device, encoder.problem))
    yield episodes.actions, episodes.log_probs


def use_baseline(name: str, device: Device, folder: Path) -> Iterator[Any]:
    device, kind = find_device(device), BASELINES.get(name)
    for each in encoders():
        encoder = model_on(device, each)
        if isinstance(encoder.problem, kind.problems):
            baseline: Baseline = kind(VOCABULARY)
            done = rollout(encoder, baseline, batch_on(device, encoder.problem), samples=2, generator=seeded(0))
            yield done.episodes.actions, done.episodes.log_probs, done.log_probs, done.entropy


def use_search(problem: str, device: Device, folder: Path) -> Iterator[Any]:
    device = find_device(device)
    encoder = model_on(device, encoder_for(PROBLEMS.get(problem)))
    batch = batch_on(device).select(torch.tensor([0, 1, 3], device=device)).cropped(4)
    yield best_actions(encoder, batch, make_reward("log_likelihood"))
    yield beam_search(encoder, batch, 4)


def use_trainer(model: str, settings: dict[str, Any], device: Device, folder: Path) -> Iterator[Any]:
    size = {"hidden_size": 6, "dropout": 0.0, "word_dropout": 0.0}
    config = TrainConfig(**TRAINING | {"model": model, "model_parameters": size} | settings).resolve()
    data = TrainingData.load(config, device=find_device(device))
    make = FlatTrainer if issubclass(MODELS.get(model), FlatClassifier) else Trainer
    trainer = make(config, data, folder, QUIET)
    trainer.run()
    yield {
        entry["stage"]: [entry[name] for name in ("accuracy", "log_likelihood")] for entry in trainer.progress.history
    }
    yield trainer.classifier.slow.state_dict()
    yield from _reading(folder, device)


def _reading(folder: Path, device: Device) -> Iterator[Any]:
    predictor = hs_env.load(folder, device)
    texts = ["the movie is not very good", "", "good", "the plot is dull and the movie is superb ."]
    yield predictor.predict_proba(texts)
    yield [" ".join(each.actions) for each in predictor.segment(texts)]
    yield predictor.vectors(["very good", "bad"])


def use_evaluation(run: str, device: Device, folder: Path) -> Iterator[Any]:
    predictor = hs_env.load(run, device)
    classifier, model, agent = predictor.classifier, predictor.model, predictor.agent
    assert isinstance(model, StructuredEncoder)
    assert agent is not None
    texts = load_corpus("phrases:train=1,dev=1,test=60").splits["test"]
    split = classifier.encode(list(texts))
    episodes = list(greedy_episodes(model, agent, split))
    found = collect(episodes, model.problem)
    yield found.log_probs, found.classes, dict(found.counts)
    yield from (log_probs for _, log_probs in sampled_predictions(model, agent, split, 2))
    kind = Recurring if model.problem.covers else Deletions
    yield kind.of(episodes, classifier.vocabulary, model.problem).to_json()


def use_language_model(core: str, boundary: Any, router: RouterName, device: Device, folder: Path) -> Iterator[Any]:
    text = Text.cut("fox", "the quick brown fox jumps over the lazy dog. " * 12)
    config = LMConfig(
        core=core,
        boundary=boundary,
        router=router,
        hidden_size=6,
        embedding_size=4,
        output_size=5,
        batch_size=4,
        stretch=10,
        updates=3,
        evaluate_every=3,
    )
    trainer = LMTrainer(config, text, folder, QUIET, find_device(device))
    trainer.run()
    trainer.save_checkpoint()
    trainer.load_checkpoint()
    yield [entry["bits_per_character"] for entry in trainer.progress.history]
    loaded = LanguageModel.load(folder, device)
    yield sample_text(loaded, 10, "the", seed=0)
    if loaded.model.core.finds_boundaries:
        yield boundaries_in(loaded, "the quick brown fox")
    if isinstance(loaded.model.core, HMLSTM):
        yield operations_in(loaded, "the quick brown fox")[0].taken


ROUTERS: Final[tuple[RouterName, ...]] = ("gumbel", "reinforce", "spaces", "random")
"""Routers of language models with different parts."""
JOBS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "hs_lstm": ("hs_lstm", {"pnet_epochs": 1, "weight_decay": 0.1, "curriculum_epochs": 1}),
    "fixed": ("attentive_hs_lstm", {"agent": "fixed"}),
    "id_lstm": ("id_lstm", {"pnet_epochs": 1}),
    "tree_lstm": ("tree_lstm", {"pnet_epochs": 1, "warm_start": "random"}),
    "hm_lstm": ("hm_lstm", {}),
    "h_net": ("h_net", {}),
}
USES: Final[dict[str, Use]] = {
    **{f"single {name}": partial(use_single_environment, name) for name in PROBLEMS},
    **{
        f"vector {name} {mode}": partial(use_vector_environment, name, mode)
        for name in PROBLEMS
        for mode in ("NextStep", "SameStep", "Disabled")
    },
    **{f"model {name}": partial(use_model, name) for name in MODELS},
    **{f"agent {name}": partial(use_agent, name) for name in AGENTS},
    **{f"estimator {name}": partial(use_estimator, name) for name in ESTIMATORS},
    "policy distances": partial(use_policy_of_trees, "distances", "lstm"),
    "policy word_weights": partial(use_policy_of_trees, "word_weights", "words"),
    "jumps": use_jumps,
    **{f"baseline {name}": partial(use_baseline, name) for name in BASELINES},
    **{f"search {name}": partial(use_search, name) for name in PROBLEMS},
    **{f"training {name}": partial(use_trainer, *job) for name, job in JOBS.items()},
    **{
        f"evaluation {run}": partial(use_evaluation, run)
        for run in ("phrases", "phrases_id_lstm", "movie_reviews_skim_lstm")
    },
    **{f"language model {name}": partial(use_language_model, name, "sample", "cosine") for name in CORES},
    **{f"router {name}": partial(use_language_model, "h_net", "step", name) for name in ROUTERS},
}
"""The uses by name."""
