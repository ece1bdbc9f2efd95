"""The resources of environments: a corpus, a frozen classifier and a reward, found by name and shared in a process.

Resources are read-only. Environments take names instead of objects, because `env.spec` copies constructor arguments.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from hs_env.compute import find_device, isolated
from hs_env.corpora.cached import CorpusKey, Stamp, cached_corpus, corpus_key, stamp
from hs_env.corpora.encoded import EncodedSplit
from hs_env.corpora.spec import add_settings, take_settings
from hs_env.errors import HsEnvError, path_text, shown
from hs_env.models import Classifier, StructuredEncoder, find_classifier, shipped_runs
from hs_env.problems import PROBLEMS, environment_id
from hs_env.problems.problem import Problem
from hs_env.registry import unknown_name
from hs_env.rewards import Reward, RewardLike, make_reward
from hs_env.text_units import unit_of
from hs_env.types import UNKNOWN, Sentence

_Classifier: TypeAlias = tuple[Path, Stamp, torch.device]

_MOST_UNKNOWN: Final = 0.2
"""Largest share of unknown words with which a classifier is taken for one that knows the corpus."""


@dataclass(frozen=True, slots=True)
class ResourceNames:
    """Arguments of an environment that name its resources, see `PhraseSegmentationEnv`."""

    corpus: str
    classifier: str | None
    split: str = "train"
    data_dir: str | None = None
    reward: RewardLike = "log_likelihood"
    reward_parameters: Mapping[str, Any] = field(default_factory=dict)
    shaping: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("corpus", "classifier", "data_dir"):
            if (path := getattr(self, name)) is not None or name == "corpus":
                object.__setattr__(self, name, path_text(path, f"The argument {name}"))
        if not isinstance(self.shaping, bool | np.bool_):
            raise HsEnvError(f"The argument shaping must be True or False, got {shown(self.shaping)}.")
        if not isinstance(self.reward_parameters, Mapping):
            raise HsEnvError(
                f"The argument reward_parameters must be a dict such as {{'gamma': 0.2}}, got "
                f"{shown(self.reward_parameters)}."
            )
        object.__setattr__(self, "shaping", bool(self.shaping))
        object.__setattr__(self, "reward_parameters", dict(self.reward_parameters))


def _plain_spec() -> property:
    """Return a property `spec` that keeps paths in the arguments of an environment as texts."""

    def get(environment: Any) -> Any:
        return environment.__dict__.get("_spec")

    def put(environment: Any, spec: Any) -> None:
        if spec is not None:
            paths = {name: os.fspath(value) for name, value in spec.kwargs.items() if isinstance(value, os.PathLike)}
            spec.kwargs.update(paths)
        environment.__dict__["_spec"] = spec

    return property(get, put, doc="Specification of the environment with which Gymnasium made it, or None.")


PLAIN_SPEC: Any = _plain_spec()


@dataclass(frozen=True, eq=False)
class Resources:
    """Everything that episodes need.

    All tensors are on one device.

    Attributes:
        encoder: Frozen encoder, in eval mode and without gradients.
        lexicon: Tables of the whole vocabulary, with 6d floats per word for HS-LSTM and 4d + e for ID-LSTM; None for
            contextual word vectors.
        encoded: Sentences as tensors.
        reward: Reward of finished episodes.
        shaping: Whether rewards include the change of a potential (Ng, Harada and Russell 1999).
    """

    encoder: StructuredEncoder
    lexicon: tuple[Tensor, ...] | None
    encoded: EncodedSplit
    reward: Reward
    shaping: bool

    @property
    def device(self) -> torch.device:
        """Device of the encoder and the sentences."""
        return self.encoded.lengths.device

    def words(self, index: int) -> tuple[str, ...]:
        """Return the words of a sentence; empty if they are unknown."""
        return ()

    @property
    def unit(self) -> str:
        """What the words are: "words", "characters" or "bytes"."""
        return "words"


@dataclass(frozen=True, eq=False)
class NamedResources(Resources):
    """Resources found by name. A copy is the same object; a pickle contains only the names.

    Attributes:
        names: Names of the resources.
        classifier: Classifier that contains the encoder.
        sentences: Sentences of the split.
    """

    names: ResourceNames
    classifier: Classifier
    sentences: tuple[Sentence, ...]

    def words(self, index: int) -> tuple[str, ...]:
        """Return the words of a sentence of the split."""
        return self.sentences[index].words

    @property
    def unit(self) -> str:
        """What the classifier reads: "words", "characters" or "bytes"."""
        return unit_of(self.classifier.tokenisation)

    def __copy__(self) -> NamedResources:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> NamedResources:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return find_resources, (self.names, self.encoder.problem)


@isolated
def find_resources(names: ResourceNames, problem: Problem) -> NamedResources:
    """Find the resources of an environment for `problem`.

    Classifiers and corpora are cached. If one changes on disk, it is loaded again, but only for new environments.

    Raises:
        HsEnvError: If a name is unknown, the resources do not fit each other, or no classifier is named and none that
            ships with the package knows the classes and words of the corpus.
    """
    device, reward = find_device(names.device), make_reward(names.reward, **names.reward_parameters)
    reward.check_problem(problem)
    if names.classifier is not None:  # errors in names come before the corpus is loaded
        _checked_encoder(names.classifier, _classifier(_classifier_key(names.classifier, device)), problem)
    key = corpus_key(names.corpus, names.data_dir)
    corpus = cached_corpus(key)
    if names.split not in corpus.splits:
        raise unknown_name("split", names.split, corpus.splits)
    if not (sentences := corpus.splits[names.split]):
        raise HsEnvError(f"The split {names.split!r} of the corpus {names.corpus!r} holds no sentences.")
    if names.classifier is None:
        names = replace(names, classifier=_fitting_classifier(names, key, problem, device))
    assert names.classifier is not None
    classifier_key = _classifier_key(names.classifier, device)
    classifier = _classifier(classifier_key)
    encoder = _checked_encoder(names.classifier, classifier, problem)
    _check_units(names, unit_of(corpus.tokenisation), unit_of(classifier.tokenisation))
    _check_labels(names, corpus.labels, classifier.labels)
    if (unknown := _unknown_share(key, classifier_key, names.split)) > _MOST_UNKNOWN:
        warnings.warn(
            f"The classifier {names.classifier!r} does not know {unknown:.0%} of the words of the corpus "
            f"{names.corpus!r}, so its predictions and rewards mean little.",
            stacklevel=2,
        )
    encoded = _encoded(key, classifier_key, names.split)
    return NamedResources(
        encoder, _lexicon(classifier_key), encoded, reward, names.shaping, names, classifier, sentences
    )


def _fitting_classifier(names: ResourceNames, corpus: CorpusKey, problem: Problem, device: torch.device) -> str:
    """Return the first classifier for `problem`, of its default and the shipped ones, that knows the corpus.

    Raises:
        HsEnvError: If there is none.
    """
    refused, labels = [], cached_corpus(corpus).labels
    for name in dict.fromkeys((problem.environment.classifier, *shipped_runs())):
        key = _classifier_key(name, device)
        classifier = _classifier(key)
        if not isinstance(classifier.model, StructuredEncoder) or classifier.model.problem != problem:
            continue
        if classifier.labels != labels:
            refused.append(f"{name!r} has the classes {', '.join(classifier.labels)}")
        elif (unknown := _unknown_share(corpus, key, names.split)) > _MOST_UNKNOWN:
            refused.append(f"{name!r} does not know {unknown:.0%} of the words")
        else:
            return name
    raise HsEnvError(
        f"No classifier that ships with the package fits the corpus {names.corpus!r} with the classes "
        f"{', '.join(labels)}: {'; '.join(refused) or 'there is none for ' + problem.title}. Train one, `hs-env train "
        f'--corpus {names.corpus} --out runs/NAME`, and pass classifier="runs/NAME"; or pass one of these names to '
        "use it all the same."
    )


def _unknown_share(corpus: CorpusKey, classifier: _Classifier, split: str) -> float:
    """Return the share of the running words of a split that the classifier does not know."""
    return float((_encoded(corpus, classifier, split).tokens == UNKNOWN).float().mean())


def _checked_encoder(name: str, classifier: Classifier, problem: Problem) -> StructuredEncoder:
    """Return the classifier's model; raise an error unless it is a structured encoder for `problem`."""
    encoder = classifier.model
    if not isinstance(encoder, StructuredEncoder):
        raise HsEnvError(
            f"The classifier {name!r} is a {type(encoder).__name__}, which takes no actions; "
            "expected a structured encoder such as HSLSTM or IDLSTM."
        )
    if encoder.problem != problem:
        raise HsEnvError(
            f"The classifier {name!r} is a {type(encoder).__name__}, made for {encoder.problem.title}, but "
            f"{_environment(problem, 'this environment')} is for {problem.title}. Use the environment "
            f"{_environment(encoder.problem, 'of its problem')}, or choose another classifier."
        )
    return encoder


def _environment(problem: Problem, unknown: str) -> str:
    """Return the id of a problem's environment, or `unknown` if the problem is not registered."""
    return next((environment_id(name) for name, known in PROBLEMS.items() if known == problem), unknown)


def _check_units(names: ResourceNames, corpus: str, classifier: str) -> None:
    """Check that a corpus consists of what the classifier reads: words, characters or bytes."""
    if corpus != classifier:
        plain = take_settings(names.corpus, {"tokenisation"})[0]
        name = plain if classifier == "words" else add_settings(plain, {"tokenisation": classifier})
        raise HsEnvError(
            f"The corpus {names.corpus!r} consists of {corpus}, but the classifier {names.classifier!r} reads "
            f"{classifier}. Write corpus={name!r}."
        )


def _check_labels(names: ResourceNames, corpus: tuple[str, ...], classifier: tuple[str, ...]) -> None:
    """Check that the classes are equally many, and in the same order if they have the same names.

    Warns if they have other names, unless those of the corpus are numbers.
    """
    if len(corpus) != len(classifier) or (corpus != classifier and set(corpus) == set(classifier)):
        raise HsEnvError(
            f"The corpus {names.corpus!r} has the labels {', '.join(corpus)}, but the classifier "
            f"{names.classifier!r} has the classes {', '.join(classifier)}; choose two that fit."
        )
    if corpus != classifier and not all(map(str.isdecimal, corpus)):
        pairs = ", ".join(f"{label} as {name}" for label, name in zip(corpus, classifier, strict=True))
        warnings.warn(
            f"The classes of the corpus {names.corpus!r} have other names than those of the classifier "
            f"{names.classifier!r}, so they are taken in their order: {pairs}. If this is wrong, rename the labels.",
            stacklevel=2,
        )


def _classifier_key(name: str, device: torch.device) -> _Classifier:
    path = find_classifier(name).resolve()
    return path, stamp([path]), device


@lru_cache(maxsize=8)
def _classifier(key: _Classifier) -> Classifier:
    classifier = Classifier.load(key[0], key[2])
    classifier.model.eval().requires_grad_(False)
    return classifier


@lru_cache(maxsize=8)
def _lexicon(key: _Classifier) -> tuple[Tensor, ...] | None:
    encoder = _classifier(key).model
    assert isinstance(encoder, StructuredEncoder)
    with torch.no_grad():
        return encoder.lexicon()


@lru_cache(maxsize=16)
def _encoded(corpus: CorpusKey, classifier: _Classifier, split: str) -> EncodedSplit:
    encoder = _classifier(classifier).model
    assert isinstance(encoder, StructuredEncoder)
    return _classifier(classifier).encode(cached_corpus(corpus).for_problem(encoder.problem).splits[split])
