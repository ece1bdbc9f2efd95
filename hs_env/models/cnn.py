"""The convolutional network of Kim (EMNLP 2014)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hs_env.models.sentence import FlatClassifier
from hs_env.types import SentenceBatch

WIDTHS = (3, 4, 5)
"""Widths of the convolutions, in words."""


class CNN(FlatClassifier):
    """A convolutional network over words with max-over-time pooling (Kim 2014, equations 2 to 4).

    For each width w of 3, 4 and 5 words, and each of its features::

        v_t = ReLU(W_w . [x_t; ...; x_{t+w-1}] + b_w)
        p_w = max_t v_t
        P(y|X) = softmax(W (p_3 (+) p_4 (+) p_5) + b)

    Each width has a third of the d features, rounded up: 100 each for d = 300, as in the paper. As in Kim's code, w - 1
    zero vectors pad the sentence on both sides, so that sentences shorter than w need no special case. There is one
    channel of trained word vectors, as in his "CNN-non-static". The norm of the softmax weights is not bounded.

    Arguments as for `SentenceClassifier`.
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
        """Apply one convolution and take the maximum over all windows with at least one word of the sentence.

        Args:
            padded: (B, e, T) word vectors, zero after the last word.
            convolution: Convolution from e channels to `maps` features.
            lengths: (B,) int64, number of words of each sentence.

        Returns:
            (B, maps) features after the ReLU.
        """
        values = convolution(padded)
        windows = lengths + (values.shape[2] - padded.shape[2])
        outside = torch.arange(values.shape[2], device=lengths.device) >= windows[:, None]
        return torch.relu(values.masked_fill(outside[:, None], -torch.inf).amax(2))
