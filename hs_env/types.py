"""The words that every part of the package shares: actions, sentences, batches and finished episodes.

Axes: `B` sentences, `R` rows (episodes; `S` consecutive rows for each sentence when a sentence is sampled `S` times),
`T` words, `C` classes, `D` state width. The module imports torch for its annotations alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

PADDING: Final = 0
"""Token id that fills a batch after the last word of a sentence."""
UNKNOWN: Final = 1
"""Token id of every word outside the vocabulary."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One labelled, tokenised sentence.

    Attributes:
        words: The tokens, at least one, none of them empty.
        label: Class index from 0.
        gold_actions: Gold phrases where the corpus knows them: an action for each word, `END` on the last word of each
            phrase and so on the last word of the sentence.
    """

    words: tuple[str, ...]
    label: int
    gold_actions: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class WordFeatures:
    """Vectors of words that depend on their sentence.

    Attributes:
        vectors: (words, e) floats, the words of many sentences, one after the other; shared, never copied.
        starts: (B,) int64, where the words of each sentence of a batch begin.
    """

    vectors: Tensor
    starts: Tensor

    def of(self, batch: SentenceBatch) -> Tensor:
        """(words, e): the vectors of the batch's words, sentence after sentence."""
        mask = batch.mask
        within = mask.cumsum(1) - 1
        return self.vectors.index_select(0, (self.starts[:, None] + within)[mask])

    def select(self, rows: Tensor) -> WordFeatures:
        """Those of the sentences at `rows`."""
        return WordFeatures(self.vectors, self.starts[rows])

    def repeat(self, samples: int) -> WordFeatures:
        """Those of each sentence `samples` times in a row."""
        return WordFeatures(self.vectors, self.starts.repeat_interleave(samples))


@dataclass(frozen=True, slots=True)
class SentenceBatch:
    """A padded batch of independent sentences.

    Attributes:
        tokens: (B, T) int64, padded with `PADDING` after the last word.
        lengths: (B,) int64, each from 1 to T.
        labels: (B,) int64.
        indices: (B,) int64, where each sentence stands in its split.
        gold_actions: (B, T) int64 gold actions, 0 after the last word; None where the corpus knows none.
        features: Vectors of the words, if the classifier reads such as depend on the sentence.
    """

    tokens: Tensor
    lengths: Tensor
    labels: Tensor
    indices: Tensor
    gold_actions: Tensor | None = None
    features: WordFeatures | None = None

    def __len__(self) -> int:
        return self.tokens.shape[0]

    @property
    def mask(self) -> Tensor:
        """(B, T) bool: True where there is a word."""
        positions = self.lengths.new_tensor(range(self.tokens.shape[1]))
        return positions < self.lengths[:, None]

    def select(self, rows: Tensor) -> SentenceBatch:
        """The sentences at `rows`, (R,) int64 or (B,) bool, in that order."""
        return SentenceBatch(
            self.tokens[rows],
            self.lengths[rows],
            self.labels[rows],
            self.indices[rows],
            None if self.gold_actions is None else self.gold_actions[rows],
            None if self.features is None else self.features.select(rows),
        )

    def cropped(self, width: int) -> SentenceBatch:
        """The same sentences padded to `width` words only, which must hold them all."""
        gold_actions = None if self.gold_actions is None else self.gold_actions[:, :width]
        return replace(self, tokens=self.tokens[:, :width], gold_actions=gold_actions)

    def repeat(self, samples: int) -> SentenceBatch:
        """Each sentence `samples` times in a row: (B * samples) rows."""
        if samples == 1:
            return self
        return SentenceBatch(
            self.tokens.repeat_interleave(samples, 0),
            self.lengths.repeat_interleave(samples),
            self.labels.repeat_interleave(samples),
            self.indices.repeat_interleave(samples),
            None if self.gold_actions is None else self.gold_actions.repeat_interleave(samples, 0),
            None if self.features is None else self.features.repeat(samples),
        )


@dataclass(frozen=True, slots=True)
class Episodes:
    """A batch of finished episodes: what a reward sees.

    Attributes:
        sentences: The sentence of each row, R rows.
        actions: (R, T) int64, all of them legal; 0 after the last word. While an estimator differentiates the reward
            they are relaxed: (R, T, k) weights of the k actions, or for k = 2 also (R, T) weights of action 1.
        log_probs: (R, C) float32, the classifier's log-probabilities of the classes.
    """

    sentences: SentenceBatch
    actions: Tensor
    log_probs: Tensor

    def __len__(self) -> int:
        return self.actions.shape[0]

    def detached(self) -> Episodes:
        """The same episodes without gradients, with hard actions: the ones of greatest weight."""
        actions = self.actions.detach()
        hard = actions.argmax(2) if actions.ndim == 3 else actions.round().long()
        return Episodes(self.sentences, hard, self.log_probs.detach())

    def weight(self, action: int) -> Tensor:
        """(R, T): how much of `action` was taken at each word, 0 after the last word.

        1 or 0 of hard actions; of relaxed ones the weight, which has a gradient.
        """
        if not self.actions.is_floating_point():
            return ((self.actions == action) & self.sentences.mask).to(self.actions.dtype)
        if self.actions.ndim == 3:
            return self.actions[..., action]
        return self.actions if action == 1 else (1 - self.actions) * self.sentences.mask

    @property
    def log_likelihood(self) -> Tensor:
        """(R,) float32: log-probability of the gold class."""
        return self.log_probs.gather(1, self.sentences.labels[:, None]).squeeze(1)

    @property
    def predictions(self) -> Tensor:
        """(R,) int64: the most probable class."""
        return self.log_probs.argmax(1)
