"""A small corpus in files, a small untrained classifier, an episode."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import torch

from hs_env.corpora import Vocabulary
from hs_env.envs.phrase_segmentation import PhraseSegmentationEnv
from hs_env.models import HSLSTM, Classifier, PlainLSTM
from hs_env.types import INSIDE

WORDS = ("the", "movie", "is", "not", "very", "good", "and", "funny")
TEXT = {"text": "The movie is not very good"}


def make_classifier(kind: type[HSLSTM] | type[PlainLSTM], *labels: str) -> Classifier:
    """An untrained classifier with large weights, so that segmentations differ in what they earn."""
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


def read(env: PhraseSegmentationEnv, actions: list[int], **options: Any) -> tuple[float, dict[str, Any]]:
    """The reward and the last info of an episode; actions of which the last ones may be missing are INSIDE."""
    _, info = env.reset(options=options or None)
    reward, terminated = 0.0, False
    while not terminated:
        assert reward == 0.0
        action = actions[info["position"]] if info["position"] < len(actions) else INSIDE
        _, reward, terminated, truncated, info = env.step(action)
        assert truncated is False
    return reward, info
