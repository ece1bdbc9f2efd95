"""The types that all parts of the package share: sentences, batches and finished episodes.

Shapes: B sentences, S samples per sentence, R = B * S rows (episodes, the S of a sentence in consecutive rows), T words
of a padded batch, L words of a sentence, C classes, k actions, e width of a word vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from hs_env.text_units import to_text

if TYPE_CHECKING:
    from torch import Tensor

PADDING: Final = 0
"""Token id after the last word of a sentence in a padded batch."""
UNKNOWN: Final = 1
"""Token id of every word outside the vocabulary."""

INSIDE: Final = 0
"""Action of phrase segmentation: the phrase continues with the next word."""
END: Final = 1
"""Action of phrase segmentation: the word is the last one of its phrase."""

DELETE: Final = 0
"""Action of information distillation: the word is deleted."""
RETAIN: Final = 1
"""Action of information distillation: the word is kept."""

ASSERT: Final = 1
"""Action of phrase modules: ends the phrase, which adds to what was said before."""
NEGATE: Final = 2
"""Action of phrase modules: ends the phrase, which denies what was said before."""
SCALE: Final = 3
"""Action of phrase modules: ends the phrase, which strengthens or weakens what was said before."""
CONTRAST: Final = 4
"""Action of phrase modules: ends the phrase, which replaces what was said before."""

NEXT: Final = 0
"""Action of skimming: goes on to the next word, and reads it unless it is skipped."""
STOP: Final = 1
"""Action of skimming: reads no further word."""
SKIP: Final = 2
"""Action of skimming: the next words are skipped."""

OPERATIONS: Final = ("UPDATE", "COPY", "FLUSH")
"""What a layer of HM-LSTM does at a step: an LSTM step, nothing, or an LSTM step from an empty state after handing its
own up."""

TREE_CAPACITY: Final = 24
"""Largest number of nodes on the stack of composition between two words."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One labelled, tokenised sentence.

    Attributes:
        words: One or more tokens, none of them empty.
        label: Class index from 0.
        gold_actions: One action per word, `END` at the last word of each gold phrase; None without gold phrases.
        columns: Further columns of its row in the corpus, by name, for rewards; None without any.
        unit: What its tokens are: "words", "characters" or "bytes".
    """

    words: tuple[str, ...]
    label: int
    gold_actions: tuple[int, ...] | None = None
    columns: Mapping[str, object] | None = field(default=None, hash=False)
    unit: str = "words"

    @property
    def text(self) -> str:
        """Text of all tokens."""
        return to_text(self.words, self.unit)


@dataclass(frozen=True, slots=True, eq=False)
class Originals:
    """The sentences that a batch was encoded from, with words and columns.

    Attributes:
        sentences: Sentences of a split; batches share them.
        places: (B,) int64 places of the batch's sentences among them, preferably on the CPU.
    """

    sentences: Sequence[Sentence]
    places: Tensor

    def rows(self) -> list[Sentence]:
        """Return the sentence of each row of the batch."""
        return [self.sentences[place] for place in self.places.tolist()]

    def select(self, rows: Tensor) -> Originals:
        """Select the sentences at `rows`."""
        return Originals(self.sentences, self.places[rows.to(self.places.device)])

    def repeat(self, samples: int) -> Originals:
        """Repeat each sentence `samples` times, in consecutive rows."""
        return Originals(self.sentences, self.places.repeat_interleave(samples))


@dataclass(frozen=True, slots=True, eq=False)
class WordFeatures:
    """Contextual word vectors, which depend on the sentence.

    Attributes:
        vectors: (words, e) float vectors of many sentences, concatenated; batches share them.
        starts: (B,) int64 indices of the first word of each sentence of a batch.
    """

    vectors: Tensor
    starts: Tensor

    def of(self, batch: SentenceBatch) -> Tensor:
        """Return the vectors of the batch's words, (words, e), sentence by sentence."""
        mask = batch.mask
        within = mask.cumsum(1) - 1
        return self.vectors.index_select(0, (self.starts[:, None] + within)[mask])

    def select(self, rows: Tensor) -> WordFeatures:
        """Select the sentences at `rows`."""
        return WordFeatures(self.vectors, self.starts[rows])

    def repeat(self, samples: int) -> WordFeatures:
        """Repeat each sentence `samples` times, in consecutive rows."""
        return WordFeatures(self.vectors, self.starts.repeat_interleave(samples))


@dataclass(frozen=True, slots=True, eq=False)
class SentenceBatch:
    """A padded batch of independent sentences.

    Attributes:
        tokens: (B, T) int64 token ids, padded with `PADDING` after the last word.
        lengths: (B,) int64 numbers of words, from 1 to T.
        labels: (B,) int64 classes.
        indices: (B,) int64 indices of the sentences in their split.
        gold_actions: (B, T) int64 gold actions, padded with `INSIDE`, or None without gold phrases.
        features: Contextual word vectors, if the classifier uses them.
        originals: Sentences that the batch was encoded from; None if they are unknown.
    """

    tokens: Tensor
    lengths: Tensor
    labels: Tensor
    indices: Tensor
    gold_actions: Tensor | None = None
    features: WordFeatures | None = None
    originals: Originals | None = None

    def __len__(self) -> int:
        return self.tokens.shape[0]

    @property
    def mask(self) -> Tensor:
        """(B, T) bool, True where there is a word."""
        from torch import arange

        positions = arange(self.tokens.shape[1], device=self.lengths.device)
        return positions < self.lengths[:, None]

    def select(self, rows: Tensor) -> SentenceBatch:
        """Select the sentences at `rows`, (R,) int64 indices or a (B,) bool mask."""
        return SentenceBatch(
            self.tokens[rows],
            self.lengths[rows],
            self.labels[rows],
            self.indices[rows],
            None if self.gold_actions is None else self.gold_actions[rows],
            None if self.features is None else self.features.select(rows),
            None if self.originals is None else self.originals.select(rows),
        )

    def cropped(self, width: int) -> SentenceBatch:
        """Reduce the padding to `width` words, at least the longest length."""
        gold_actions = None if self.gold_actions is None else self.gold_actions[:, :width]
        return replace(self, tokens=self.tokens[:, :width], gold_actions=gold_actions)

    def repeat(self, samples: int) -> SentenceBatch:
        """Repeat each sentence `samples` times, in consecutive rows."""
        if samples == 1:
            return self
        return SentenceBatch(
            self.tokens.repeat_interleave(samples, 0),
            self.lengths.repeat_interleave(samples),
            self.labels.repeat_interleave(samples),
            self.indices.repeat_interleave(samples),
            None if self.gold_actions is None else self.gold_actions.repeat_interleave(samples, 0),
            None if self.features is None else self.features.repeat(samples),
            None if self.originals is None else self.originals.repeat(samples),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Steps of R episodes, the input of a reward that comes at each step: all T words, or a single one with T = 1.

    Attributes:
        actions: Actions at these words, as in `Episodes`.
        measures: (R, T) float32 numbers by name, what the encoder measured at these words (see `StructuredEncoder`).
    """

    actions: Tensor
    measures: Mapping[str, Tensor]

    @property
    def closing(self) -> Tensor:
        """(R, T) weight of all actions but action 0: 0 or 1, or the relaxed weight; whether a phrase ends."""
        if self.actions.ndim == 3:
            return self.actions[..., 1:].sum(2)
        return self.actions if self.actions.is_floating_point() else (self.actions != 0).long()


@dataclass(frozen=True, slots=True, eq=False)
class Episodes:
    """A batch of finished episodes, the input of a reward.

    Attributes:
        sentences: Sentences of the R rows.
        actions: (R, T) int64 legal actions, 0 after the last word. For estimators that differentiate the reward, they
            are float weights: (R, T, k) of all actions, or (R, T) of action 1 if k = 2.
        log_probs: (R, C) float32 log-probabilities of the classes.
        measures: (R, T) float32 numbers by name, what the encoder measured at each word; 0 after the last word.
    """

    sentences: SentenceBatch
    actions: Tensor
    log_probs: Tensor
    measures: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.actions.shape[0]

    def detached(self) -> Episodes:
        """Return the episodes without gradients, with the actions of greatest weight."""
        actions = self.actions.detach()
        hard = actions.argmax(2) if actions.ndim == 3 else actions.round().long()
        measures = {name: values.detach() for name, values in self.measures.items()}
        return Episodes(self.sentences, hard, self.log_probs.detach(), measures)

    @property
    def steps(self) -> Steps:
        """Actions and measures of all words."""
        return Steps(self.actions, self.measures)

    def first(self, samples: int | None, sentences: int) -> Episodes:
        """Return the first `samples` episodes of each of B `sentences`; None is all of them."""
        if samples is None:
            return self
        row = self.sentences.lengths.new_ones(len(self)).cumsum(0) - 1
        rows = row % (len(self) // sentences) < samples
        measures = {name: values[rows] for name, values in self.measures.items()}
        return Episodes(self.sentences.select(rows), self.actions[rows], self.log_probs[rows], measures)

    def weight(self, action: int) -> Tensor:
        """Return the weight of `action` at each word, (R, T): 0 or 1, or the relaxed weight; 0 after the last word."""
        if not self.actions.is_floating_point():
            taken = (self.actions == action).long()
            return taken if action else taken * self.sentences.mask
        if self.actions.ndim == 3:
            return self.actions[..., action]
        return self.actions if action == 1 else (1 - self.actions) * self.sentences.mask

    @property
    def closing(self) -> Tensor:
        """See `Steps.closing`."""
        return self.steps.closing

    @property
    def log_likelihood(self) -> Tensor:
        """(R,) float32 log-probabilities of the gold classes."""
        return self.log_probs.gather(1, self.sentences.labels[:, None]).squeeze(1)

    @property
    def predictions(self) -> Tensor:
        """(R,) int64, the most probable classes."""
        return self.log_probs.argmax(1)
