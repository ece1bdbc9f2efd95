"""Store a split as flat tensors, from which batches are built without a Python loop over sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import chain
from tempfile import TemporaryFile
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hs_env.compute import CPU, from_array
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.types import PADDING, Originals, Sentence, SentenceBatch, WordFeatures

Vectorise = Callable[[Sequence[tuple[str, ...]]], NDArray[np.float16]]
"""Function that computes the vectors of all words of some sentences: (words, e) float16, in order."""

MAPPED: Final = 1 << 24
"""Number of words of a split above which its arrays are mapped from temporary files: 128 MiB of token ids."""


def _joined(rows: Iterable[Sequence[int]], count: int, dtype: type[np.generic]) -> Tensor:
    """Return the numbers of all rows, (count,), of which no list is made; mapped from a file if there are many."""
    if count <= MAPPED:
        return from_array(np.fromiter(chain.from_iterable(rows), dtype, count))
    with TemporaryFile() as file:  # the system deletes it when the last array is gone
        array: NDArray[Any] = np.memmap(file, dtype, "w+", shape=(count,))
    at = 0
    for row in rows:
        array[at : at + len(row)] = row
        at += len(row)
    return from_array(array)


@dataclass(frozen=True, eq=False)
class EncodedSplit:
    """The N sentences of a split as flat tensors. Those with one row per word are in the order of the sentences.

    Attributes:
        tokens: (words,) int64 token ids of all sentences, concatenated.
        offsets: (N,) int64 position of the first word of each sentence.
        lengths: (N,) int64 number of words of each sentence.
        labels: (N,) int64 class indices.
        gold_actions: (words,) uint8 gold actions; None unless every sentence has them.
        features: (words, e) floats, contextual word vectors; None if the classifier uses none.
        sentences: The sentences before they were encoded; None if they are unknown.
    """

    tokens: Tensor
    offsets: Tensor
    lengths: Tensor
    labels: Tensor
    gold_actions: Tensor | None = None
    features: Tensor | None = None
    sentences: Sequence[Sentence] | None = None

    @classmethod
    def from_sentences(
        cls, sentences: Sequence[Sentence], vocabulary: Vocabulary, contextual: Vectorise | None = None
    ) -> EncodedSplit:
        """Encode sentences of at least one word each, in the same order, on the CPU; `contextual` makes `features`.

        The arrays of more than `MAPPED` words are temporary files that are mapped into memory.
        """
        lengths = torch.tensor([len(sentence.words) for sentence in sentences], dtype=torch.int64, device=CPU)
        words = int(lengths.sum())
        gold = [sentence.gold_actions for sentence in sentences if sentence.gold_actions is not None]
        complete = len(gold) == len(sentences) > 0
        tokens = (vocabulary.encode(sentence.words) for sentence in sentences)
        return cls(
            tokens=_joined(tokens, words, np.int64),
            offsets=lengths.cumsum(0) - lengths,
            lengths=lengths,
            labels=torch.tensor([sentence.label for sentence in sentences], dtype=torch.int64, device=CPU),
            gold_actions=_joined(gold, words, np.uint8) if complete else None,
            features=None if contextual is None else from_array(contextual([each.words for each in sentences])),
            sentences=sentences,
        )

    @classmethod
    def from_batch(cls, batch: SentenceBatch) -> EncodedSplit:
        """Turn a batch into a split whose sentences are renumbered from 0."""
        mask = batch.mask
        gold_actions = None if batch.gold_actions is None else batch.gold_actions[mask].to(torch.uint8)
        offsets = batch.lengths.cumsum(0) - batch.lengths
        features = None if batch.features is None else batch.features.of(batch)
        sentences = None if batch.originals is None else batch.originals.rows()
        return cls(batch.tokens[mask], offsets, batch.lengths, batch.labels, gold_actions, features, sentences)

    def to(self, device: torch.device) -> EncodedSplit:
        """Return the split on a device."""
        if self.lengths.device == device:
            return self
        parts = {name: part.to(device) for name, part in vars(self).items() if isinstance(part, Tensor)}
        return EncodedSplit(**{each.name: getattr(self, each.name) for each in fields(self)} | parts)

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def sizes(self) -> Tensor:
        """Number of words of each sentence, (N,) int64 on the CPU, so that no batch waits for another device."""
        return self.lengths.cpu()

    def batch(self, indices: Tensor) -> SentenceBatch:
        """Build a padded batch of the sentences at positions `indices`, (B,) int64 on the CPU, in this order.

        Raises:
            HsEnvError: If `indices` is empty, or an index is out of range.
        """
        if not len(indices):
            raise HsEnvError("A batch holds at least one sentence, got no indices.")
        if int(indices.min()) < 0 or int(indices.max()) >= len(self):
            raise HsEnvError(f"Expected indices from 0 to {len(self) - 1}, got {indices.tolist()}.")
        places, width = indices, int(self.sizes[indices].max())
        indices = indices.to(self.lengths.device)
        lengths = self.lengths[indices]
        columns = torch.arange(width, device=lengths.device)
        outside = columns >= lengths[:, None]
        # After the last word any valid position will do: padding overwrites its values.
        positions = (self.offsets[indices][:, None] + columns).clamp_(max=len(self.tokens) - 1)
        return SentenceBatch(
            tokens=self.tokens[positions].masked_fill_(outside, PADDING),
            lengths=lengths,
            labels=self.labels[indices],
            indices=indices,
            gold_actions=None
            if self.gold_actions is None
            else self.gold_actions[positions].long().masked_fill_(outside, 0),
            features=None if self.features is None else WordFeatures(self.features, self.offsets[indices]),
            originals=None if self.sentences is None else Originals(self.sentences, places),
        )

    def batches(self, size: int) -> Iterator[SentenceBatch]:
        """Yield all sentences once, shortest first, in padded batches of `size`; the last batch may be smaller.

        `SentenceBatch.indices` holds the positions of the sentences in the split.
        """
        order = self.sizes.argsort(stable=True)
        for start in range(0, len(self), size):
            yield self.batch(order[start : start + size])
