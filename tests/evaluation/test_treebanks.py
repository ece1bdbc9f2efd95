"""Phrases against brackets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hs_env.agents import load_agent
from hs_env.corpora.treebanks import Span, Treebank
from hs_env.errors import HsEnvError
from hs_env.evaluation import compare_with_treebank
from hs_env.evaluation.treebanks import COLUMNS, predictions_against, shuffled
from hs_env.metrics import Predictions, metrics_of
from hs_env.models import Classifier
from hs_env.problems.segmentation import SEGMENTATION
from hs_env.types import Episodes, Sentence
from tests.builders import make_batch, random_actions


def binary_tree(start: int, stop: int, generator: np.random.Generator) -> frozenset[Span]:
    """The nodes of a random binary tree over some words."""
    if stop - start == 1:
        return frozenset({(start, stop)})
    split = int(generator.integers(start + 1, stop))
    below = binary_tree(start, split, generator) | binary_tree(split, stop, generator)
    return below | {(start, stop)}


def spans_of(episodes: Episodes) -> list[list[Span]]:
    """The phrases of each sentence."""
    return SEGMENTATION.spans(episodes.actions, episodes.sentences.lengths).by_row(len(episodes))


def value(predictions: Predictions, name: str) -> float | None:
    """The value of a metric, or None if it does not apply."""
    found = metrics_of(predictions)[name](predictions)
    return None if found is None else float(found[0])


@pytest.fixture
def episodes() -> Episodes:
    batch = make_batch([1, 2, 5, 9, 12, 12, 30])
    actions = random_actions(7, 30) * batch.mask
    return Episodes(batch, actions.scatter(1, batch.lengths[:, None] - 1, 1), torch.zeros(7, 3).log_softmax(1))


def test_in_a_binary_tree_a_phrase_is_a_constituent_or_crosses_one(episodes: Episodes) -> None:
    generator = np.random.default_rng(0)
    brackets = [binary_tree(0, length, generator) for length in episodes.sentences.lengths.tolist()]
    counts = predictions_against([episodes], brackets, SEGMENTATION).counts
    assert counts["constituents"].sum() > 0
    np.testing.assert_array_equal(counts["brackets"], counts["constituents"] + counts["crossing"])


def test_phrases_are_constituents_of_themselves_and_cross_none(episodes: Episodes) -> None:
    predictions = predictions_against([episodes], [frozenset(spans) for spans in spans_of(episodes)], SEGMENTATION)
    assert value(predictions, "constituents") == 1
    assert value(predictions, "crossing_brackets") == 0


@pytest.mark.parametrize(
    ("bracket", "crossing"),
    [
        ((0, 2), 0),
        ((2, 5), 0),
        ((0, 5), 0),  # holds both
        ((0, 6), 0),
        ((0, 1), 0),  # within the first one
        ((3, 5), 0),
        ((2, 3), 0),
        ((5, 6), 0),
        ((1, 2), 0),
        ((1, 3), 2),
        ((0, 3), 1),
        ((1, 5), 1),
        ((4, 6), 1),
        ((1, 6), 1),
    ],
)
def test_what_crosses(bracket: Span, crossing: int) -> None:
    """The phrases are two words, three and one."""
    batch = make_batch([6])
    made = Episodes(batch, torch.tensor([[0, 1, 0, 0, 1, 1]]), torch.zeros(1, 3).log_softmax(1))
    counts = predictions_against([made], [frozenset({bracket})], SEGMENTATION).counts
    assert (counts["brackets"].tolist(), counts["crossing"].tolist()) == ([2], [crossing])


def test_one_word_and_the_whole_sentence_are_not_counted(episodes: Episodes) -> None:
    batch = episodes.sentences
    for actions in (batch.mask.long(), torch.zeros_like(batch.tokens).scatter(1, batch.lengths[:, None] - 1, 1)):
        made = Episodes(batch, actions, episodes.log_probs)
        predictions = predictions_against([made], [frozenset({(0, 1)})] * 7, SEGMENTATION)
        assert value(predictions, "constituents") is None
        assert value(predictions, "crossing_brackets") is None


def test_shuffling_keeps_the_lengths(episodes: Episodes) -> None:
    (one,), (same,), (other,) = (list(shuffled([episodes], SEGMENTATION, seed)) for seed in (0, 0, 1))
    assert torch.equal(one.actions, same.actions)
    assert not torch.equal(one.actions, other.actions)
    for before, after in zip(spans_of(episodes), spans_of(one), strict=True):
        assert sorted(b - a for a, b in before) == sorted(b - a for a, b in after)


def test_a_run_stands_next_to_chance() -> None:
    words = "the movie is not very good".split()
    bank = Treebank("tiny", (Sentence(tuple(words), 0, (0, 1, 0, 0, 0, 1)),) * 3, (frozenset({(0, 2), (2, 6)}),) * 3)
    agent = load_agent("phrases")
    comparison = compare_with_treebank(Classifier.load("phrases"), agent, bank)
    assert [row.name for row in comparison.rows][:3] == ["HS-LSTM", "HS-LSTM, shuffled", "all_end"]
    assert set(comparison.metrics) == {column.name for column in (*SEGMENTATION.columns, *COLUMNS)}
    assert comparison.rows[0].intervals["boundary_f1"].value == 1
    assert "0.0% of the words are unknown" in comparison.caption
    with pytest.raises(HsEnvError, match="IDLSTM makes none"):
        compare_with_treebank(Classifier.load("phrases_id_lstm"), agent, bank)
