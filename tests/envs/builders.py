"""The decision problems, a small corpus in files, small untrained classifiers, an episode."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hs_env.corpora import Vocabulary
from hs_env.envs.classes import (
    CompositionEnv,
    CompositionVectorEnv,
    InformationDistillationEnv,
    InformationDistillationVectorEnv,
    PhraseSegmentationEnv,
    PhraseSegmentationVectorEnv,
)
from hs_env.envs.single import EncoderEnv
from hs_env.models import HSLSTM, IDLSTM, Classifier, SentenceClassifier, TreeLSTM

WORDS = ("the", "movie", "is", "not", "very", "good", "and", "funny")
TEXT = {"text": "The movie is not very good"}


@dataclass(frozen=True)
class Problem:
    """A decision problem and its environments.

    Attributes:
        id: Of the registered environment.
        single: The single environment.
        vector: The native vector environment.
        encoder: The encoder behind them.
        reward: Name of the default reward.
        classifier: Name of the default classifier.
        structure: What `info` says about the structure: a count, and its words.
        actions: Names of the actions.
    """

    id: str
    single: type[PhraseSegmentationEnv] | type[InformationDistillationEnv] | type[CompositionEnv]
    vector: type[PhraseSegmentationVectorEnv] | type[InformationDistillationVectorEnv] | type[CompositionVectorEnv]
    encoder: type[HSLSTM] | type[IDLSTM] | type[TreeLSTM]
    reward: str
    classifier: str
    structure: tuple[str, str]
    actions: tuple[str, ...]


PHRASES = Problem(
    "hs_env/PhraseSegmentation-v0",
    PhraseSegmentationEnv,
    PhraseSegmentationVectorEnv,
    HSLSTM,
    "hs_lstm",
    "phrases",
    ("num_phrases", "phrases"),
    ("INSIDE", "END"),
)
WORDS_TO_KEEP = Problem(
    "hs_env/InformationDistillation-v0",
    InformationDistillationEnv,
    InformationDistillationVectorEnv,
    IDLSTM,
    "id_lstm",
    "phrases_id_lstm",
    ("num_retained", "retained"),
    ("DELETE", "RETAIN"),
)
TREES = Problem(
    "hs_env/Composition-v0",
    CompositionEnv,
    CompositionVectorEnv,
    TreeLSTM,
    "log_likelihood",
    "listops",
    ("num_constituents", "constituents"),
    ("SHIFT", "REDUCE", "REDUCE_TWICE"),
)
PROBLEMS = [PHRASES, WORDS_TO_KEEP]
"""Problems with two actions, for which all tests of environments run."""


def make_classifier(kind: type[SentenceClassifier], *labels: str) -> Classifier:
    """An untrained classifier with large weights, so that actions differ in what they earn."""
    vocabulary = Vocabulary(WORDS)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(len(vocabulary), len(labels), embedding_size=6, hidden_size=8)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2)
    return Classifier(model, vocabulary, labels, "glove", {})


def write_corpus(path: Path, count: int, seed: int, labels: tuple[str, ...] = ("negative", "positive")) -> None:
    """A file of random sentences of 1 to 9 words; the first one has one word."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        length = draw.randint(2, 9) if number else 1
        boundaries = [draw.randint(0, 1) for _ in range(length - 1)] + [1]
        text = " ".join(draw.choices(WORDS, k=length))
        rows.append({"text": text, "label": labels[number % len(labels)], "boundaries": boundaries})
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")


def read(env: EncoderEnv, actions: list[int], **options: Any) -> tuple[float, dict[str, Any]]:
    """The reward and the last info of an episode; actions of which the last ones may be missing are 0."""
    _, info = env.reset(options=options or None)
    reward, terminated = 0.0, False
    while not terminated:
        assert reward == 0.0
        action = actions[info["position"]] if info["position"] < len(actions) else 0
        _, reward, terminated, truncated, info = env.step(action)
        assert truncated is False
    return reward, info
