"""The words that every part of the package shares: actions, sentences, batches and finished episodes.

Axes: `B` sentences, `R` rows (episodes; `S` consecutive rows for each sentence when a sentence is sampled `S` times),
`T` words, `C` classes, `D` state width. The module imports torch for its annotations alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from torch import Tensor

INSIDE: Final = 0
"""The word lies inside a phrase, which goes on with the next word."""
END: Final = 1
"""The word is the last one of its phrase."""

DELETE: Final = 0
"""The word is left out."""
RETAIN: Final = 1
"""The word is kept."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is decided at each word.

    Attributes:
        name: Of the decision problem.
        actions: Names of the actions 0 and 1.
        structure: What they make of a sentence: "phrases", where action 1 ends one, or a "selection" of the words
            with action 1, of which there is at least one. It decides what infos say and pictures show.
    """

    name: str
    actions: tuple[str, str]
    structure: Literal["phrases", "selection"]


SEGMENTATION: Final = Task("phrase segmentation", ("INSIDE", "END"), "phrases")
"""Where phrases end."""
DISTILLATION: Final = Task("information distillation", ("DELETE", "RETAIN"), "selection")
"""Which words are kept."""

PADDING: Final = 0
"""Token id that fills a batch behind the end of a sentence."""
UNKNOWN: Final = 1
"""Token id of every word outside the vocabulary."""


def phrases_of(words: Sequence[str], actions: Sequence[int]) -> list[Sequence[str]]:
    """The phrases of words that have been decided; a last one that is still open counts too."""
    stops = [position + 1 for position in range(len(words)) if actions[position] == END]
    if words and stops[-1:] != [len(words)]:
        stops.append(len(words))
    return [words[start:stop] for start, stop in pairwise([0, *stops])]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One labelled, tokenised sentence.

    Attributes:
        words: The tokens, at least one, none of them empty.
        label: Class index from 0.
        boundaries: Gold phrases where the corpus knows them: an action for each word, `END` on the last word of each
            phrase and so on the last word of the sentence.
    """

    words: tuple[str, ...]
    label: int
    boundaries: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class WordFeatures:
    """Vectors of words that depend on their sentence.

    Attributes:
        vectors: (W, e) floats, the words of many sentences, one after the other; shared, never copied.
        starts: (B,) int64, where the words of each sentence of a batch begin.
    """

    vectors: Tensor
    starts: Tensor

    def of(self, batch: SentenceBatch) -> Tensor:
        """(N, e): the vectors of the batch's N words, sentence after sentence."""
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
        tokens: (B, T) int64, `PADDING` behind the end of a sentence.
        lengths: (B,) int64, each from 1 to T.
        labels: (B,) int64.
        indices: (B,) int64, where each sentence stands in its split.
        boundaries: (B, T) int64 gold actions (`INSIDE` behind the end), or None where the corpus knows no phrases.
        features: Vectors of the words, if the classifier reads such as depend on the sentence.
    """

    tokens: Tensor
    lengths: Tensor
    labels: Tensor
    indices: Tensor
    boundaries: Tensor | None = None
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
            None if self.boundaries is None else self.boundaries[rows],
            None if self.features is None else self.features.select(rows),
        )

    def cropped(self, width: int) -> SentenceBatch:
        """The same sentences padded to `width` words only, which must hold them all."""
        boundaries = None if self.boundaries is None else self.boundaries[:, :width]
        return replace(self, tokens=self.tokens[:, :width], boundaries=boundaries)

    def repeat(self, samples: int) -> SentenceBatch:
        """Each sentence `samples` times in a row: (B * samples) rows."""
        if samples == 1:
            return self
        return SentenceBatch(
            self.tokens.repeat_interleave(samples, 0),
            self.lengths.repeat_interleave(samples),
            self.labels.repeat_interleave(samples),
            self.indices.repeat_interleave(samples),
            None if self.boundaries is None else self.boundaries.repeat_interleave(samples, 0),
            None if self.features is None else self.features.repeat(samples),
        )


@dataclass(frozen=True, slots=True)
class Episodes:
    """A batch of finished episodes: what a reward sees.

    Attributes:
        sentences: The sentence of each row, R rows.
        actions: (R, T) int64, all of them legal; 0 behind the end of a sentence. Floats in [0, 1] while an
            estimator asks for the gradient of a reward by relaxed actions.
        log_probs: (R, C) float32, the classifier's log-probabilities of the classes.
    """

    sentences: SentenceBatch
    actions: Tensor
    log_probs: Tensor

    def __len__(self) -> int:
        return self.actions.shape[0]

    def detached(self) -> Episodes:
        """The same episodes as constants, their actions as integers."""
        return Episodes(self.sentences, self.actions.detach().round().long(), self.log_probs.detach())

    @property
    def num_phrases(self) -> Tensor:
        """(R,) int64: phrases of each row."""
        return self.actions.sum(1)

    @property
    def num_retained(self) -> Tensor:
        """(R,) int64: words that each row retains."""
        return self.actions.sum(1)

    @property
    def log_likelihood(self) -> Tensor:
        """(R,) float32: log-probability of the gold class."""
        return self.log_probs.gather(1, self.sentences.labels[:, None]).squeeze(1)

    @property
    def predictions(self) -> Tensor:
        """(R,) int64: the most probable class."""
        return self.log_probs.argmax(1)
