"""What a policy did on a split, and the metrics of it.

A metric is a function of sums over sentences, so its value on a bootstrap resample needs only how often each sentence
was drawn: one product with the sentences' statistics serves all resamples at once.
Axes: `N` sentences, `R` resamples, `C` classes, `K` statistics of a metric.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hs_env.errors import HsEnvError
from hs_env.types import END, SEGMENTATION, Episodes, SentenceBatch, Task

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one policy or model did, an entry a sentence, in the order of the split.

    Boundaries are compared at every word but the last one of a sentence, which ends a phrase whatever the policy.

    Attributes:
        labels: (N,) int64 gold classes.
        log_probs: (N, C) float, finite class log-probabilities.
        lengths: (N,) int64 words.
        num_phrases: (N,) int64, or None for a model without phrases.
        matches: (N,) int64 boundaries that the policy proposed and the gold phrases have, or None without gold phrases.
        proposed: (N,) int64 boundaries that the policy proposed, or None likewise.
        gold: (N,) int64 boundaries of the gold phrases, or None likewise.
        num_retained: (N,) int64 words that are retained, or None for a model that deletes none.
        phrase_matches: (N,) int64 phrases that the gold phrases have too, word for word, or None without gold phrases.
        brackets: (N,) int64 phrases of two words or more that are not the whole sentence, or None where no brackets
            are known; see `hs_env.evaluation.treebanks`.
        constituents: (N,) int64 of these, those that are a bracket, or None likewise.
        crossing: (N,) int64 of these, those that cross a bracket, or None likewise.

    Raises:
        HsEnvError: If there is no sentence, or a number makes no sense.
    """

    labels: IntArray
    log_probs: NDArray[np.floating[Any]]
    lengths: IntArray
    num_phrases: IntArray | None = None
    matches: IntArray | None = None
    proposed: IntArray | None = None
    gold: IntArray | None = None
    num_retained: IntArray | None = None
    phrase_matches: IntArray | None = None
    brackets: IntArray | None = None
    constituents: IntArray | None = None
    crossing: IntArray | None = None

    def __post_init__(self) -> None:
        if not len(self):
            raise HsEnvError("There is nothing to evaluate: no sentences. Choose a split that has some.")
        classes = self.log_probs.shape[1]
        if self.labels.min() < 0 or self.labels.max() >= classes:
            raise HsEnvError(
                f"The model tells {classes} classes apart, and the labels go from {self.labels.min()} to "
                f"{self.labels.max()}. Evaluate it on the corpus that it was trained for."
            )
        broken = np.flatnonzero(~np.isfinite(self.log_probs).all(1))
        if broken.size:
            raise HsEnvError(
                f"The class log-probabilities of {broken.size} sentences are not finite, first those of sentence "
                f"{broken[0]}: {self.log_probs[broken[0]].tolist()}. Did training diverge?"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def predictions(self) -> IntArray:
        """(N,) int64: the most probable class."""
        predictions: IntArray = self.log_probs.argmax(1)
        return predictions


def collect(episodes: Iterable[Episodes], task: Task = SEGMENTATION) -> Outcome:
    """The outcome of a policy.

    Args:
        episodes: Its finished episodes, in batches and order of any kind, one for each sentence.
        task: What it decided: `StructuredEncoder.task`.

    Raises:
        HsEnvError: If there are none, or several of one sentence.
    """
    decisions = _retained if task.structure == "selection" else _phrases
    return _join([_verdicts(batch.sentences, batch.log_probs) | decisions(batch) for batch in episodes])


def collect_plain(verdicts: Iterable[tuple[SentenceBatch, Tensor]]) -> Outcome:
    """The outcome of a model without phrases: batches and their (B, C) class log-probabilities, else as `collect`."""
    return _join([_verdicts(batch, log_probs) for batch, log_probs in verdicts])


def _verdicts(batch: SentenceBatch, log_probs: Tensor) -> dict[str, Tensor]:
    """What every model has."""
    return {"indices": batch.indices, "labels": batch.labels, "lengths": batch.lengths, "log_probs": log_probs}


def _phrases(episodes: Episodes) -> dict[str, Tensor]:
    """What a policy has besides: counts of phrases, and of boundaries where there are gold phrases."""
    counts, batch = {"num_phrases": episodes.num_phrases}, episodes.sentences
    if batch.boundaries is None:
        return counts
    inner = batch.mask.scatter(1, batch.lengths[:, None] - 1, False)
    proposed, gold = (episodes.actions == END) & inner, (batch.boundaries == END) & inner
    same = (episodes.actions == END) & (batch.boundaries == END) & batch.mask
    same &= _starts(episodes.actions) == _starts(batch.boundaries)
    return counts | {
        "matches": (proposed & gold).sum(1),
        "proposed": proposed.sum(1),
        "gold": gold.sum(1),
        "phrase_matches": same.sum(1),
    }


def _starts(actions: Tensor) -> Tensor:
    """(R, T) int64: where the phrase that each word is in begins."""
    starts = actions.new_zeros(actions.shape)
    starts[:, 1:] = actions.new_tensor(range(1, actions.shape[1])) * (actions[:, :-1] == END)
    return starts.cummax(1).values


def _retained(episodes: Episodes) -> dict[str, Tensor]:
    """What a policy has besides: counts of the words that it retains."""
    return {"num_retained": episodes.num_retained}


def _join(parts: list[dict[str, Tensor]]) -> Outcome:
    """One outcome of the columns that all batches have, sorted by `indices`."""
    if not parts:
        raise HsEnvError("There is nothing to evaluate: no sentences. Choose a split that has some.")
    shared = set.intersection(*(set(part) for part in parts))
    columns = {name: np.concatenate([part[name].numpy(force=True) for part in parts]) for name in shared}
    indices, first = np.unique(columns.pop("indices"), return_index=True)
    if len(indices) < len(columns["labels"]):
        raise HsEnvError(
            f"Expected one episode a sentence, got {len(columns['labels'])} episodes of {len(indices)} sentences. "
            "Evaluate with one sample a sentence."
        )
    return Outcome(**{name: column[first] for name, column in columns.items()})


@dataclass(frozen=True)
class Metric:
    """A function of sums over sentences.

    Attributes:
        statistics: (N, K) float64 of an outcome, or None where the metric does not apply to it.
        value: (R,) values of the (R, K) sums of the statistics over R resamples.
    """

    statistics: Callable[[Outcome], FloatArray | None]
    value: Callable[[FloatArray], FloatArray]

    def __call__(self, outcome: Outcome, counts: IntArray | None = None) -> FloatArray | None:
        """The values on R resamples, or None where the metric does not apply.

        Args:
            outcome: N sentences.
            counts: (R, N) int64, how often each resample has each sentence; None is all of them once, R = 1.

        Returns:
            (R,) float64.
        """
        table = self.statistics(outcome)
        weights = np.ones((1, len(outcome))) if counts is None else counts.astype(np.float64)
        return None if table is None else self.value(weights @ table)


def _columns(*columns: NDArray[Any] | None) -> FloatArray | None:
    """(N, K) float64 of K columns (N,), or None if one is missing."""
    present = [column for column in columns if column is not None]
    return np.stack(present, axis=1).astype(np.float64) if len(present) == len(columns) else None


def _ratio(sums: FloatArray) -> FloatArray:
    """The first of two sums divided by the second; 1 where both are 0, for nothing found of nothing is all."""
    return np.divide(sums[:, 0], sums[:, 1], out=np.ones(len(sums)), where=sums[:, 1] > 0)


def _accuracy(outcome: Outcome) -> FloatArray | None:
    """Right predictions, sentences."""
    return _columns(outcome.predictions == outcome.labels, np.ones_like(outcome.labels))


def _log_likelihood(outcome: Outcome) -> FloatArray | None:
    """Log-probability of the gold class, sentences."""
    chosen = np.take_along_axis(outcome.log_probs, outcome.labels[:, None], axis=1)[:, 0]
    return _columns(chosen, np.ones_like(outcome.labels))


def _confusion(outcome: Outcome) -> FloatArray:
    """(N, 3C) of each class: right predictions, predictions, labels; all that F1 needs of the C * C confusions."""
    classes = np.eye(outcome.log_probs.shape[1])
    predicted, labelled = classes[outcome.predictions], classes[outcome.labels]
    return np.hstack([predicted * labelled, predicted, labelled])


def _macro_f1(sums: FloatArray) -> FloatArray:
    """The mean F1 of the classes that a resample has, in its labels or its predictions."""
    right, predicted, labelled = np.split(sums, 3, axis=1)
    total = predicted + labelled
    f1 = np.divide(2 * right, total, out=np.zeros_like(total), where=total > 0)
    mean: FloatArray = f1.sum(1) / (total > 0).sum(1)
    return mean


def _phrases_per_sentence(outcome: Outcome) -> FloatArray | None:
    """Phrases, sentences."""
    return _columns(outcome.num_phrases, np.ones_like(outcome.labels))


def _words_per_phrase(outcome: Outcome) -> FloatArray | None:
    """Words, phrases."""
    return _columns(outcome.lengths, outcome.num_phrases)


def _boundary_precision(outcome: Outcome) -> FloatArray | None:
    """Boundaries that match, boundaries proposed; nothing where there is none."""
    if outcome.proposed is None or not outcome.proposed.any():
        return None
    return _columns(outcome.matches, outcome.proposed)


def _boundary_recall(outcome: Outcome) -> FloatArray | None:
    """Boundaries that match, boundaries of the gold phrases."""
    return _columns(outcome.matches, outcome.gold)


def _boundary_f1(outcome: Outcome) -> FloatArray | None:
    """Boundaries that match, the mean of those proposed and those of the gold phrases: their ratio is F1."""
    if outcome.proposed is None or outcome.gold is None:
        return None
    return _columns(outcome.matches, (outcome.proposed + outcome.gold) / 2)


def _phrase_f1(outcome: Outcome) -> FloatArray | None:
    """Phrases that match, the mean of those proposed and those of gold, of which there is one more than boundaries."""
    if outcome.num_phrases is None or outcome.gold is None:
        return None
    return _columns(outcome.phrase_matches, (outcome.num_phrases + outcome.gold + 1) / 2)


def _constituents(outcome: Outcome) -> FloatArray | None:
    """Phrases that are a bracket, phrases; nothing where no phrase could be one."""
    if outcome.brackets is None or not outcome.brackets.any():
        return None
    return _columns(outcome.constituents, outcome.brackets)


def _crossing_brackets(outcome: Outcome) -> FloatArray | None:
    """Phrases that cross a bracket, sentences; nothing where no phrase could cross one."""
    if outcome.brackets is None or not outcome.brackets.any():
        return None
    return _columns(outcome.crossing, np.ones_like(outcome.labels))


def _words_retained(outcome: Outcome) -> FloatArray | None:
    """Words retained, sentences."""
    return _columns(outcome.num_retained, np.ones_like(outcome.labels))


def _share_retained(outcome: Outcome) -> FloatArray | None:
    """Words retained, words."""
    return _columns(outcome.num_retained, outcome.lengths)


METRICS: Final[dict[str, Metric]] = {
    "accuracy": Metric(_accuracy, _ratio),
    "log_likelihood": Metric(_log_likelihood, _ratio),
    "macro_f1": Metric(_confusion, _macro_f1),
    "phrases_per_sentence": Metric(_phrases_per_sentence, _ratio),
    "words_per_phrase": Metric(_words_per_phrase, _ratio),
    "boundary_precision": Metric(_boundary_precision, _ratio),
    "boundary_recall": Metric(_boundary_recall, _ratio),
    "boundary_f1": Metric(_boundary_f1, _ratio),
    "phrase_f1": Metric(_phrase_f1, _ratio),
    "constituents": Metric(_constituents, _ratio),
    "crossing_brackets": Metric(_crossing_brackets, _ratio),
    "words_retained": Metric(_words_retained, _ratio),
    "share_retained": Metric(_share_retained, _ratio),
}
"""The metrics by name: accuracy; mean log-probability of the gold class; macro-averaged F1; phrases per sentence; words
per phrase, over all sentences together; precision, recall and F1 of the phrase boundaries, micro-averaged over the
words before the last; F1 of whole phrases, which match where begin and end do (as the shared task of CoNLL-2000 counts
chunks); the share of phrases that are constituents, and phrases that cross a bracket, per sentence; words retained per
sentence, and the share of all words that they are."""

STRUCTURE: Final = (
    "boundary_precision",
    "boundary_recall",
    "boundary_f1",
    "phrase_f1",
    "constituents",
    "crossing_brackets",
)
"""The metrics that compare with the structure that linguists gave a sentence."""
