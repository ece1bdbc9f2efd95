"""Predictions that the tests of metrics and evaluation share."""

from __future__ import annotations

import numpy as np

from hs_env.evaluation.treebanks import COLUMNS as TREEBANK_COLUMNS
from hs_env.metrics import Predictions, metrics_of
from hs_env.problems.distillation import DISTILLATION
from hs_env.problems.segmentation import SEGMENTATION

COLUMNS = (*SEGMENTATION.columns, *TREEBANK_COLUMNS, *DISTILLATION.columns)
"""Every column of the package."""


def simulate(sentences: int, classes: int = 3, *, skill: float = 1.0, seed: int = 0) -> Predictions:
    """Make predictions to which every metric applies; the gold class has `skill` added to its score."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(classes, size=sentences)
    scores = generator.normal(size=(sentences, classes))
    scores[np.arange(sentences), labels] += skill
    lengths = generator.integers(1, 30, size=sentences)
    proposed, gold = generator.integers(lengths), generator.integers(lengths)
    counts = {
        "num_phrases": proposed + 1,
        "matches": generator.integers(np.minimum(proposed, gold) + 1),
        "proposed": proposed,
        "gold": gold,
        "mean_boundaries": (proposed + gold) / 2,
        "num_retained": generator.integers(1, lengths + 1),
        "phrase_matches": generator.integers(np.minimum(proposed, gold) + 2),
        "mean_phrases": (proposed + gold + 2) / 2,
        "brackets": (brackets := proposed + 1),
        "constituents": (constituents := generator.integers(brackets + 1)),
        "crossing": brackets - constituents,
    }
    log_probs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    return Predictions(labels, log_probs, lengths, counts, COLUMNS)


METRICS = metrics_of(simulate(1))
"""Every metric of the package, by name."""
