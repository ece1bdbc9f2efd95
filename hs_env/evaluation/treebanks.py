"""Compare phrases with brackets that linguists have marked: chunks, or constituents of parse trees.

A policy that was trained for classification has never seen brackets, so the question is whether it agrees with them
more than chance. Chance depends on the lengths of phrases: long ones cross more brackets, and short ones are
constituents more often. Each policy is therefore compared with its own phrases in random order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch

from hs_env.agents import Agent, baselines_for, make_baseline
from hs_env.compute import from_array, isolated
from hs_env.corpora.treebanks import Span, Treebank
from hs_env.errors import HsEnvError
from hs_env.evaluation.table import CAPTION, Comparison, Row
from hs_env.metrics.bootstrap import Interval, intervals
from hs_env.metrics.predictions import Predictions, collect
from hs_env.metrics.scores import greedy_episodes
from hs_env.models import Classifier, StructuredEncoder
from hs_env.problems.problem import Column, Problem
from hs_env.problems.segmentation import END
from hs_env.registry import stem_of
from hs_env.types import UNKNOWN, Episodes

COLUMNS: Final = (
    Column("constituents", ("Constituents", "%"), "constituents", "brackets", 100, 1, "brackets", agreement=True),
    Column("crossing_brackets", ("Crossing /", "sentence"), "crossing", "sentences", 1, 2, "brackets", agreement=True),
)
"""Columns of the share of phrases that are constituents, and of phrases per sentence that cross a bracket."""


@isolated
def compare_with_treebank(classifier: Classifier, agent: Agent, treebank: Treebank) -> Comparison:
    """Compare a policy, its own phrases in random order, and the baselines with the brackets of a treebank.

    Metrics are the columns of the decision problem and `COLUMNS`. `COLUMNS` leave out phrases of one word and phrases
    that are the whole sentence, which cannot be wrong. In a binary tree a phrase is a constituent or crosses one.

    Args:
        classifier: Frozen classifier that computes the states of the policy.
        agent: Policy to compare.
        treebank: Sentences and brackets.

    Raises:
        HsEnvError: If the classifier makes no phrases.
    """
    encoder = classifier.model
    if not isinstance(encoder, StructuredEncoder) or not encoder.problem.covers or encoder.problem.nested:
        raise HsEnvError(
            f"Brackets are compared with phrases, but a {type(encoder).__name__} makes none. Give another run."
        )
    split = classifier.encode(treebank.sentences)
    episodes = list(greedy_episodes(encoder, agent, split))
    policies = {encoder.title: episodes, f"{encoder.title}, shuffled": list(shuffled(episodes, encoder.problem))}
    for name in baselines_for(encoder.problem, gold=False):
        baseline = make_baseline(name, classifier.vocabulary, encoder.problem)
        policies[stem_of(name)] = list(greedy_episodes(encoder, baseline, split))
    notes = {f"{encoder.title}, shuffled": "its phrases in random order"}
    rows = [
        Row(name, _intervals(predictions_against(made, treebank.brackets, encoder.problem)), notes.get(name, ""))
        for name, made in policies.items()
    ]
    unknown = (split.tokens == UNKNOWN).float().mean().item()
    caption = f"{CAPTION} {100 * unknown:.1f}% of the words are unknown to the classifier."
    return Comparison(f"{treebank.name}: {len(split):,} sentences", rows, caption, (*encoder.problem.columns, *COLUMNS))


def shuffled(episodes: Iterable[Episodes], problem: Problem, seed: int = 0) -> Iterable[Episodes]:
    """Yield the episodes with the phrase lengths of each sentence in random order; words keep their places.

    The class log-probabilities are not computed again.
    """
    generator = np.random.default_rng(seed)
    for batch in episodes:
        actions = torch.zeros_like(batch.actions)
        for row, spans in enumerate(_spans(batch, problem)):
            lengths = generator.permutation([stop - start for start, stop in spans])
            actions[row, from_array(lengths.cumsum() - 1, actions.device)] = END
        yield replace(batch, actions=actions)


def predictions_against(
    episodes: Sequence[Episodes], brackets: Sequence[frozenset[Span]], problem: Problem
) -> Predictions:
    """Collect the predictions of a policy, and count how its phrases agree with brackets.

    Args:
        episodes: One episode per sentence.
        brackets: Brackets of each sentence, by its index.
        problem: Decision problem of the episodes.

    Returns:
        Predictions with the counts "brackets" (phrases of two words or more that are not the whole sentence),
        "constituents" (those that equal a bracket) and "crossing" (those that cross a bracket).
    """
    tested, constituents, crossing = np.zeros((3, len(brackets)), np.int64)
    for batch in episodes:
        for index, length, spans in zip(
            batch.sentences.indices.tolist(), batch.sentences.lengths.tolist(), _spans(batch, problem), strict=True
        ):
            marked = brackets[index]
            candidates = [span for span in spans if 1 < span[1] - span[0] < length]
            tested[index] = len(candidates)
            constituents[index] = sum(span in marked for span in candidates)
            crossing[index] = sum(any(_cross(span, other) for other in marked) for span in candidates)
    found = collect(episodes, problem)
    counts = {**found.counts, "brackets": tested, "constituents": constituents, "crossing": crossing}
    return replace(found, counts=counts, columns=(*found.columns, *COLUMNS))


def _intervals(predictions: Predictions) -> dict[str, Interval]:
    return intervals(predictions, metrics=[column.name for column in predictions.columns])


def _spans(episodes: Episodes, problem: Problem) -> list[list[Span]]:
    """Return the spans of each row."""
    return problem.spans_by_row(episodes.actions, episodes.sentences.lengths)


def _cross(one: Span, other: Span) -> bool:
    """Tell whether two spans overlap and neither contains the other."""
    return one[0] < other[0] < one[1] < other[1] or other[0] < one[0] < other[1] < one[1]
