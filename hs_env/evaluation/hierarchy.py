"""The phrases within phrases that HM-LSTM finds in sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hs_env.models import Classifier, HMLSTMClassifier

Phrases = list[Any]
"""Words, or phrases of the level below."""


@dataclass(frozen=True)
class HierarchyReader:
    """Reads texts with HM-LSTM.

    A phrase of a level ends where the detectors of that level and of all below it have a boundary.

    Attributes:
        classifier: The classifier.
        model: Its model.
    """

    classifier: Classifier
    model: HMLSTMClassifier

    @torch.no_grad()
    def read(self, texts: Sequence[str]) -> Iterator[dict[str, Any]]:
        """For each text "text", "phrases" (nested, the highest level outside), "label" and "probability"."""
        sentences = [self.classifier.sentence(text) for text in texts]
        batch = self.classifier.batch(sentences)
        probabilities, labels = self.model(batch).exp().max(1)
        ends = self.model.boundaries(batch).cumprod(2).sum(2)  # how many levels end behind each word
        top = len(self.model.levels.widths) - 1
        for row, (text, sentence) in enumerate(zip(texts, sentences, strict=True)):
            yield {
                "text": text,
                "phrases": nested(sentence.words, ends[row, : len(sentence.words)].tolist(), top),
                "label": self.classifier.labels[int(labels[row])],
                "probability": probabilities[row].item(),
            }

    def to_json(self, texts: Sequence[str]) -> Iterator[str]:
        """A line of JSON for each text."""
        for found in self.read(texts):
            yield json.dumps(found, ensure_ascii=False)

    def to_text(self, texts: Sequence[str]) -> Iterator[str]:
        """Such as `[[the movie] [is not]] [[very good]]  → negative 0.93` for each text."""
        for found in self.read(texts):
            yield f"{bracketed(found['phrases'])}  → {found['label']} {found['probability']:.2f}"


def nested(words: Sequence[str], ends: Sequence[int], level: int) -> Phrases:
    """The phrases of a level, each made of those of the level below; at level 0, the words.

    Args:
        words: At least one.
        ends: How many levels have a phrase that ends behind each word; the last word ends one of each.
        level: Of the outermost phrases.
    """
    if level == 0:
        return list(words)
    phrases, start = [], 0
    for stop, end in enumerate(ends, 1):
        if end >= level:
            phrases.append(nested(words[start:stop], ends[start:stop], level - 1))
            start = stop
    return phrases


def bracketed(phrases: Phrases) -> str:
    """Nested phrases in nested brackets."""
    return " ".join(each if isinstance(each, str) else f"[{bracketed(each)}]" for each in phrases)
