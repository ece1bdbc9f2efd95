"""Outcomes to evaluate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hs_env.metrics.definitions import Outcome


def simulate(sentences: int, classes: int = 3, *, skill: float = 1.0, seed: int = 0) -> Outcome:
    """An outcome with figures for every metric; the gold class is ahead by `skill` standard deviations."""
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


@pytest.fixture(name="simulate")
def _simulate() -> Callable[..., Outcome]:
    """The maker of outcomes, `simulate`."""
    return simulate


@pytest.fixture
def outcome() -> Outcome:
    """200 sentences of three classes."""
    return simulate(200)
