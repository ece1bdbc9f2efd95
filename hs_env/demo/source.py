"""Load what a demo shows: a classifier, its policy, its corpus and its reward."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from hs_env.agents import Agent, FixedPolicy, LogitPolicy, load_pair
from hs_env.compute import isolated, kept_generators, making_on
from hs_env.corpora import Corpus, Vocabulary, load_corpus
from hs_env.errors import HsEnvError
from hs_env.models import (
    HSLSTM,
    IDLSTM,
    Classifier,
    HMLSTMClassifier,
    PlainLSTM,
    StructuredEncoder,
    find_classifier,
    shipped_runs,
)
from hs_env.models.classifier import MODELS, Model
from hs_env.models.rounded import to_float32, to_int8
from hs_env.rewards import Reward, make_reward
from hs_env.storage import load_state
from hs_env.training.run import Run
from hs_env.types import UNKNOWN

SHOWN: Final[dict[type[Model], str]] = {
    HSLSTM: "hs_lstm",
    IDLSTM: "id_lstm",
    PlainLSTM: "plain_lstm",
    HMLSTMClassifier: "hm_lstm",
}
"""Models that the page computes, with their names there."""


@dataclass(frozen=True)
class Source:
    """What a demo shows of one run.

    Attributes:
        name: Name of the run.
        classifier: Classifier as the page holds it: with the kept words, and rounded to 8 bits if it is there.
        weights: Its weights by name: tensors, or dicts of `int8` and `scale` (see `hs_env.models.rounded`).
        agent: Policy of the run; None for a classifier that takes no actions.
        corpus: Corpus of the run.
        reward: Reward of the run, likewise None without actions.
        known: Number of words that the run's classifier knows, before words were left out.
    """

    name: str
    classifier: Classifier
    weights: Mapping[str, Any]
    agent: Agent | None
    corpus: Corpus
    reward: Reward | None
    known: int


@isolated
def load_source(name: str, words: int = 0, int8: bool = False) -> Source:
    """Load a run folder, or a run that ships with the package.

    Args:
        name: Folder, or name of the shipped run.
        words: Number of most frequent words to keep; 0 keeps all.
        int8: Whether matrices that are not rounded yet are rounded to 8 bits.

    Raises:
        HsEnvError: If there is no such run, or the page cannot compute its model or its policy.
    """
    classifier, agent, corpus, reward = _shipped(name) if name in shipped_runs() else _trained(name)
    _check_model(name, classifier)
    _check_agent(name, agent)
    weights = load_state(find_classifier(name), "classifier")["weights"]
    if int8:
        weights |= to_int8({key: weight for key, weight in weights.items() if isinstance(weight, Tensor)})
    known = len(classifier.vocabulary) - UNKNOWN - 1
    if 0 < words < known:
        weights["words.weight"] = _first_rows(weights["words.weight"], words + UNKNOWN + 1)
        classifier = replace(classifier, vocabulary=Vocabulary(classifier.vocabulary.words[: words + UNKNOWN + 1]))
    return Source(Path(name).resolve().name, _with_weights(classifier, weights), weights, agent, corpus, reward, known)


def _shipped(name: str) -> tuple[Classifier, Agent | None, Corpus, Reward | None]:
    classifier, agent = load_pair(name)
    _check_model(name, classifier)
    corpus = load_corpus(classifier.notes["corpus"])
    if not isinstance(classifier.model, StructuredEncoder):
        return classifier, None, corpus, None
    problem = classifier.model.problem
    return classifier, agent, corpus.for_problem(problem), make_reward(problem.environment.reward)


def _trained(name: str) -> tuple[Classifier, Agent | None, Corpus, Reward | None]:
    if not Path(name).exists() and len(Path(name).parts) == 1:
        find_classifier(name)  # which names the nearest shipped run
    run = Run.load(name, "cpu")  # where the page's arithmetic is repeated
    _check_model(name, run.classifier)
    if run.agent is not None and run.config.foreign_code:
        raise HsEnvError(f"A demo cannot compute {run.config.foreign_code}, which is code outside of hs-env.")
    reward = make_reward(run.config.reward, **run.config.reward_parameters) if run.agent else None
    return run.classifier, run.agent, run.data("test").corpus, reward


def _check_model(name: str, classifier: Classifier) -> None:
    if type(classifier.model) not in SHOWN:
        titles = ", ".join(kind.title for kind in SHOWN)
        raise HsEnvError(f"A demo cannot show {classifier.model.title}, the model of {name}. It shows: {titles}.")
    if classifier.contextual is not None:
        raise HsEnvError(
            f"The classifier of {name} reads contextual word vectors, whose encoder is too large for a page. Train one "
            "with vectors of words, such as glove-6b-50d."
        )


@cache
def page_rules() -> tuple[str, ...]:
    """Return the names of the baseline policies that the page computes, as its code has them."""
    code = files("hs_env.demo").joinpath("policies.js").read_text(encoding="utf-8").partition("\n};")[0]
    return tuple(re.findall(r"^ {4}(\w+): \(", code, re.MULTILINE))


def _check_agent(name: str, agent: Agent | None) -> None:
    """Check that the page can compute a policy.

    Raises:
        HsEnvError: If it cannot.
    """
    plain = isinstance(agent, LogitPolicy) and agent.pnet.reader is None
    rule = isinstance(agent, FixedPolicy) and agent.name.partition(".")[0] in page_rules()
    if not (agent is None or plain or rule):
        kind = "P-Net with a reader" if isinstance(agent, LogitPolicy) else type(agent).__name__
        raise HsEnvError(
            f"The policy of {name} is a {kind}. A demo shows the P-Nets of `--agent reinforce` without a reader, and "
            f"`--agent fixed` with {', '.join(page_rules())}."
        )


def _first_rows(weight: Any, count: int) -> Any:
    """Return the first rows of a matrix of either kind."""
    return weight[:count] if isinstance(weight, Tensor) else {key: part[:count] for key, part in weight.items()}


def _with_weights(classifier: Classifier, weights: Mapping[str, Any]) -> Classifier:
    """Return a classifier of the same model with the weights as the page holds them."""
    config = classifier.model.config() | {"vocabulary_size": len(classifier.vocabulary)}
    with kept_generators(), making_on():
        model = MODELS.get(MODELS.name_of(type(classifier.model)))(**config)
    model.load_state_dict(to_float32(weights))
    return replace(classifier, model=model.eval().requires_grad_(False))
