"""Outcomes that the tests of metrics and evaluation share."""

from __future__ import annotations

import numpy as np

from hs_env.metrics.definitions import Outcome


def simulate(sentences: int, classes: int = 3, *, skill: float = 1.0, seed: int = 0) -> Outcome:
    """Make an outcome to which every metric applies; the gold class has `skill` added to its score."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(classes, size=sentences)
    scores = generator.normal(size=(sentences, classes))
    scores[np.arange(sentences), labels] += skill
    lengths = generator.integers(1, 30, size=sentences)
    proposed, gold = generator.integers(lengths), generator.integers(lengths)
    return Outcome(
        labels,
        scores - np.log(np.exp(scores).sum(1, keepdims=True)),
        lengths,
        proposed + 1,
        generator.integers(np.minimum(proposed, gold) + 1),
        proposed,
        gold,
        generator.integers(1, lengths + 1),
        generator.integers(np.minimum(proposed, gold) + 2),
        brackets := proposed + 1,
        constituents := generator.integers(brackets + 1),
        brackets - constituents,
    )
