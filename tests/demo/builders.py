"""Runs whose pages are made quickly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from hs_env.demo.source import Source
from hs_env.models import HMLSTMClassifier


def with_few_sentences(source: Source, count: int = 60) -> Source:
    """The same run with a corpus of a few test sentences, among which examples are chosen quickly."""
    corpus = source.corpus
    return replace(source, corpus=replace(corpus, splits={**corpus.splits, "test": corpus.splits["test"][:count]}))


def hm_source(phrases: Source, **parameters: Any) -> Source:
    """An HM-LSTM with large random weights, so that its boundaries vary."""
    vocabulary = phrases.classifier.vocabulary
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = HMLSTMClassifier(len(vocabulary), 2, embedding_size=8, hidden_size=10, **parameters).eval()
        for weight in model.state_dict().values():
            weight.add_(0.3 * torch.randn(weight.shape))
    model.levels.slope = 1.5
    classifier = replace(phrases.classifier, model=model.requires_grad_(False))
    return Source("hm", classifier, model.state_dict(), None, phrases.corpus, None, len(vocabulary) - 2)
