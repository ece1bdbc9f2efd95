"""The convolutional network of Kim (EMNLP 2014)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hs_env.models.sentence import FlatClassifier
from hs_env.types import SentenceBatch

WIDTHS = (3, 4, 5)
"""Words that a feature sees."""


class CNN(FlatClassifier):
    """A softmax on the maximum over time of convolutional features.

    A third of the d features, rounded up, for each width of 3, 4 and 5 words: with d = 300 Kim's 100 of each. As in his
    code a sentence stands between zeros, so that a feature may see its first or last word alone, and a short sentence
    is no special case. One channel of word vectors, which are trained; the softmax weights may have any norm.

    Arguments as `SentenceClassifier`'s.
    """

    title = "CNN"

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        maps = -(-hidden_size // len(WIDTHS))
        self.representation_size = maps * len(WIDTHS)
        self.convolutions = nn.ModuleList(nn.Conv1d(embedding_size, maps, width, padding=width - 1) for width in WIDTHS)

    def forward(self, batch: SentenceBatch) -> Tensor:
        """See `FlatClassifier.forward`."""
        vectors, where = self.words(batch)
        padded = (vectors[where] * batch.mask[..., None]).transpose(1, 2)
        features = [self._strongest(padded, convolution, batch.lengths) for convolution in self.convolutions]
        return self.classify(torch.cat(features, 1))

    def _strongest(self, padded: Tensor, convolution: nn.Module, lengths: Tensor) -> Tensor:
        """(B, maps) maxima over the windows that hold a word of the sentence, of (B, e, T) vectors."""
        values = convolution(padded)
        windows = lengths + (values.shape[2] - padded.shape[2])
        outside = torch.arange(values.shape[2], device=lengths.device) >= windows[:, None]
        return torch.relu(values.masked_fill(outside[:, None], -torch.inf).amax(2))
