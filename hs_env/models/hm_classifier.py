"""HM-LSTM as a classifier of sentences, which finds their phrases by itself."""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.models.boundary import annealed_slope
from hs_env.models.hm_lstm import HMLSTM, GatedOutput
from hs_env.models.lstm import pack
from hs_env.models.sentence import FlatClassifier
from hs_env.types import SentenceBatch

LAYERS = 3
"""Layers of the classifier, as the paper's models have."""


class HMLSTMClassifier(FlatClassifier):
    """Three layers of HM-LSTM over the words, and a softmax on their gated output at the last word.

    The last word of a sentence is a boundary of every layer, so that the top one has read it all. Boundaries are learnt
    straight through, by the labels alone. Arguments as `SentenceClassifier`'s.
    """

    title = "HM-LSTM"

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        widths = (hidden_size,) * LAYERS
        self.levels = HMLSTM(embedding_size, widths)
        self.gates = GatedOutput(widths, hidden_size)

    def forward(self, batch: SentenceBatch) -> Tensor:
        """See `FlatClassifier.forward`."""
        h, _, place = self._read(batch)
        last = place[torch.arange(len(batch), device=h.device), batch.lengths - 1]
        return self.classify(self.gates(h[last]))

    def boundaries(self, batch: SentenceBatch) -> Tensor:
        """(B, T, N - 1) int64: whether each layer but the top one has a boundary behind each word; 0 behind the end."""
        _, z, place = self._read(batch)
        return z.detach().round().long()[place] * batch.mask[..., None]

    def anneal(self, epoch: float) -> None:
        """See `FlatClassifier.anneal`."""
        self.levels.slope = annealed_slope(epoch)

    def _read(self, batch: SentenceBatch) -> tuple[Tensor, Tensor, Tensor]:
        """States and boundaries of all words, packed, and (B, T) where each word stands there (any, behind the end)."""
        vectors, where = self.words(batch)
        sequence, step, sizes = pack(batch.lengths)
        ends = step == batch.lengths[sequence] - 1
        h, z, _ = self.levels.scan(self.levels.project(vectors), where[sequence, step], sizes, ends=ends)
        place = torch.zeros_like(batch.tokens)
        place[sequence, step] = torch.arange(len(step), device=step.device)
        return h, z, place
