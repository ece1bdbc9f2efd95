"""What is collected of episodes, and metrics against scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_score, recall_score

from hs_env.errors import HsEnvError
from hs_env.metrics import metrics_of
from hs_env.metrics.predictions import IntArray, Predictions, collect, collect_flat
from hs_env.problems.distillation import DISTILLATION
from hs_env.problems.segmentation import SEGMENTATION
from hs_env.types import Episodes, SentenceBatch
from tests.builders import phrases_of
from tests.metrics.builders import METRICS

SENTENCES, CLASSES, LONGEST = 37, 3, 12
SHARED = ["accuracy", "log_likelihood", "macro_f1", "balanced_accuracy", "brier", "calibration_error"]


def point(name: str, predictions: Predictions) -> float:
    """The value of a metric."""
    values = metrics_of(predictions)[name](predictions)
    assert values is not None
    assert values.shape == (1,)
    return float(values[0])


def make_episodes(seed: int = 0, gold: bool = True) -> Episodes:
    """Random episodes of a whole split, in its order."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, LONGEST + 1, (SENTENCES,), generator=generator)
    inside = torch.arange(LONGEST) < lengths[:, None]

    def actions() -> torch.Tensor:
        drawn = torch.randint(2, (SENTENCES, LONGEST), generator=generator) * inside
        return drawn.scatter(1, lengths[:, None] - 1, 1)

    labels = torch.randint(CLASSES, (SENTENCES,), generator=generator)
    batch = SentenceBatch(inside.long(), lengths, labels, torch.arange(SENTENCES), actions() if gold else None)
    return Episodes(batch, actions(), torch.randn(SENTENCES, CLASSES, generator=generator).log_softmax(1))


def phrase_f1(episodes: Episodes) -> float:
    """F1 of whole phrases by their spans, all sentences together."""
    batch = episodes.sentences
    assert batch.gold_actions is not None
    found, gold = (
        {
            (row, tuple(phrase))
            for row, (actions, length) in enumerate(zip(table.tolist(), batch.lengths.tolist(), strict=True))
            for phrase in phrases_of([str(at) for at in range(length)], actions[:length])
        }
        for table in (episodes.actions, batch.gold_actions)
    )
    return 2 * len(found & gold) / (len(found) + len(gold))


def shuffled(episodes: Episodes, size: int) -> Iterator[Episodes]:
    """The same episodes in batches of another order, each as wide as its longest sentence."""
    order = torch.randperm(len(episodes), generator=torch.Generator().manual_seed(1))
    for start in range(0, len(episodes), size):
        rows = order[start : start + size]
        batch = episodes.sentences.select(rows)
        width = int(batch.lengths.max())
        boundaries = None if batch.gold_actions is None else batch.gold_actions[:, :width]
        batch = replace(batch, tokens=batch.tokens[:, :width], gold_actions=boundaries)
        yield Episodes(batch, episodes.actions[rows, :width], episodes.log_probs[rows])


def counts_of(drawn: IntArray) -> IntArray:
    """(1, N): how often each sentence was drawn."""
    return np.bincount(drawn, minlength=len(drawn))[None]


def take(predictions: Predictions, rows: IntArray) -> Predictions:
    """The sentences at `rows`, one after the other."""
    counts = {name: count[rows] for name, count in predictions.counts.items()}
    return replace(
        predictions,
        labels=predictions.labels[rows],
        log_probs=predictions.log_probs[rows],
        lengths=predictions.lengths[rows],
        counts=counts,
    )


def columns_of(predictions: Predictions) -> dict[str, IntArray]:
    """Everything that is known of the sentences, by name."""
    shared = {name: getattr(predictions, name) for name in ("labels", "log_probs", "lengths")}
    return shared | dict(predictions.counts)


def applicable(predictions: Predictions) -> list[str]:
    """The names of the metrics that apply."""
    return [name for name, metric in metrics_of(predictions).items() if metric(predictions) is not None]


def test_collect_restores_the_order_of_the_split() -> None:
    episodes = make_episodes()
    whole = collect([episodes], SEGMENTATION)
    assert len(whole) == SENTENCES
    np.testing.assert_array_equal(whole.labels, episodes.sentences.labels)
    np.testing.assert_array_equal(whole.count("num_phrases"), episodes.actions.sum(1))
    np.testing.assert_array_equal(whole.classes, episodes.predictions)
    again = columns_of(collect(shuffled(episodes, 5), SEGMENTATION))
    assert again.keys() == columns_of(whole).keys()
    assert again.keys() > {"num_phrases", "proposed", "gold", "matches", "phrase_matches"}
    for name, column in columns_of(whole).items():
        np.testing.assert_array_equal(again[name], column, err_msg=name)


def test_collect_keeps_the_order_of_a_part_of_a_split() -> None:
    episodes = make_episodes()
    parts = (torch.tensor([30, 2]), torch.tensor([7]))
    chosen = (Episodes(episodes.sentences.select(r), episodes.actions[r], episodes.log_probs[r]) for r in parts)
    some = collect(chosen, SEGMENTATION)
    np.testing.assert_array_equal(some.lengths, episodes.sentences.lengths[[2, 7, 30]])


def test_collect_without_gold_phrases() -> None:
    predictions = collect([make_episodes(gold=False)], SEGMENTATION)
    assert predictions.count("num_phrases") is not None
    assert predictions.count("proposed") is None
    assert applicable(predictions) == [*SHARED, "phrases_per_sentence", "words_per_phrase"]


def test_collect_flat_has_no_phrases() -> None:
    episodes = make_episodes()
    predictions = collect_flat([(part.sentences, part.log_probs.requires_grad_()) for part in shuffled(episodes, 8)])
    np.testing.assert_array_equal(predictions.classes, episodes.predictions)
    assert applicable(predictions) == SHARED


def test_point_values_of_episodes() -> None:
    """Every metric, from the episodes themselves, by scikit-learn."""
    episodes = make_episodes()
    predictions = collect(shuffled(episodes, 10), SEGMENTATION)
    batch = episodes.sentences
    labels, classes = batch.labels.numpy(), episodes.predictions.numpy()
    inner = torch.arange(LONGEST) < batch.lengths[:, None] - 1
    assert batch.gold_actions is not None
    expected = {
        "accuracy": accuracy_score(labels, classes),
        "log_likelihood": -log_loss(labels, episodes.log_probs.double().softmax(1).numpy()),
        "macro_f1": f1_score(labels, classes, average="macro"),
        "phrases_per_sentence": episodes.actions.sum().item() / SENTENCES,
        "words_per_phrase": batch.lengths.sum().item() / episodes.actions.sum().item(),
        "boundary_precision": precision_score(batch.gold_actions[inner], episodes.actions[inner]),
        "boundary_recall": recall_score(batch.gold_actions[inner], episodes.actions[inner]),
        "boundary_f1": f1_score(batch.gold_actions[inner], episodes.actions[inner]),
        "phrase_f1": phrase_f1(episodes),
    }
    assert {name: point(name, predictions) for name in expected} == pytest.approx(expected, abs=1e-6)


def test_point_values_of_distilled_sentences() -> None:
    episodes = make_episodes()
    predictions = collect(shuffled(episodes, 10), DISTILLATION)
    retained, words = episodes.actions.sum().item(), episodes.sentences.lengths.sum().item()
    assert applicable(predictions) == [
        *SHARED,
        "words_retained",
        "share_retained",
    ]
    assert point("words_retained", predictions) == pytest.approx(retained / SENTENCES)
    assert point("share_retained", predictions) == pytest.approx(retained / words)


@settings(max_examples=100, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_macro_f1_with_classes_that_are_missing(pairs: list[tuple[int, int]]) -> None:
    """The classes are those of the labels and the predictions, as in scikit-learn."""
    labels, classes = np.array(pairs).T
    predictions = Predictions(labels, np.where(np.eye(5)[classes] > 0, -0.1, -5.0), np.ones_like(labels))
    assert point("macro_f1", predictions) == pytest.approx(f1_score(labels, classes, average="macro"))


@pytest.mark.parametrize("name", METRICS)
def test_counts_equal_explicit_resampling(name: str, predictions: Predictions) -> None:
    generator = np.random.default_rng(3)
    drawn = generator.integers(len(predictions), size=(20, len(predictions)))
    counts = np.concatenate([counts_of(rows) for rows in drawn])
    explicit = [point(name, take(predictions, rows)) for rows in drawn]
    assert METRICS[name](predictions, counts) == pytest.approx(np.array(explicit), rel=1e-12)


def test_counts_equal_explicit_resampling_by_scikit_learn(predictions: Predictions) -> None:
    drawn = np.random.default_rng(4).integers(len(predictions), size=len(predictions))
    labels, classes, counts = predictions.labels[drawn], predictions.classes[drawn], counts_of(drawn)
    assert METRICS["accuracy"](predictions, counts) == pytest.approx(accuracy_score(labels, classes))
    assert METRICS["macro_f1"](predictions, counts) == pytest.approx(f1_score(labels, classes, average="macro"))
    loss = log_loss(labels, np.exp(predictions.log_probs[drawn]))
    assert METRICS["log_likelihood"](predictions, counts) == pytest.approx(-loss)


def test_no_boundary_of_none_is_perfect() -> None:
    none = np.zeros(1, np.int64)
    counts = {"num_phrases": none + 1, "matches": none, "proposed": none, "gold": none, "mean_boundaries": none}
    predictions = Predictions(none, np.zeros((1, 1)), none + 1, counts, SEGMENTATION.columns)
    assert point("boundary_f1", predictions) == 1
    missed = counts | {"gold": none + 2, "mean_boundaries": none + 1}
    assert point("boundary_f1", replace(predictions, counts=missed)) == 0
    assert METRICS["boundary_precision"](predictions) is None


def test_gold_phrases_match_themselves() -> None:
    episodes = make_episodes()
    assert episodes.sentences.gold_actions is not None
    predictions = collect([replace(episodes, actions=episodes.sentences.gold_actions)], SEGMENTATION)
    agreement = [column.name for column in SEGMENTATION.columns if column.agreement]
    assert agreement == ["boundary_precision", "boundary_recall", "boundary_f1", "phrase_f1"]
    assert [point(name, predictions) for name in agreement] == [1, 1, 1, 1]


def test_errors_say_what_is_wrong() -> None:
    episodes = make_episodes()
    with pytest.raises(HsEnvError, match="no sentences"):
        collect([], SEGMENTATION)
    with pytest.raises(HsEnvError, match="74 episodes of 37 sentences"):
        collect([episodes, episodes], SEGMENTATION)
    with pytest.raises(HsEnvError, match="has 2 classes, but the labels range from 0 to 2"):
        collect_flat([(episodes.sentences, episodes.log_probs[:, :2])])
    with pytest.raises(HsEnvError, match="not finite, first those of sentence 0"):
        collect_flat([(episodes.sentences, episodes.log_probs * torch.nan)])
