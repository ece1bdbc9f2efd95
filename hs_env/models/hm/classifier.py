"""HM-LSTM as a sentence classifier that learns the phrases of a sentence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hs_env.models.hm.boundary import Boundary, annealed_slope
from hs_env.models.hm.layers import HMLSTM, GatedOutput
from hs_env.models.lstm import pack
from hs_env.models.sentence import FlatClassifier
from hs_env.types import SentenceBatch


class HMLSTMClassifier(FlatClassifier):
    """HM-LSTM over the words with a softmax on its gated output after the last word.

    With the hidden states h^l_t of `HMLSTM` and the output module `GatedOutput` of the paper::

        P(y|X) = softmax(W GatedOutput(h^1_L, h^2_L, ...) + b)

    After the last word of a sentence every layer has a boundary, so that the top layer has received all words. The
    detectors are trained by the straight-through estimator, from class labels only.

    Args:
        vocabulary_size: V, as for `SentenceClassifier`.
        num_classes: C, number of classes.
        embedding_size: e, width of the word vectors.
        hidden_size: d, width of each layer and of the gated output.
        dropout: Dropout probability on the word vectors and before the softmax, in training mode.
        word_dropout: Probability of dropping a whole word vector, in training mode.
        layers: Number of layers, at least two. The models of the paper have three.
        layer_norm: Whether to normalise the summed inputs of each layer; see `HMLSTM`.
        boundary: How detectors decide; see `Boundary`.

    Attributes:
        levels: Layers of HM-LSTM.
        gates: Output module.
    """

    title = "HM-LSTM"

    def __init__(
        self,
        vocabulary_size: int,
        num_classes: int,
        embedding_size: int = 50,
        hidden_size: int = 300,
        dropout: float = 0.5,
        word_dropout: float = 0.0,
        layers: int = 3,
        layer_norm: bool = True,
        boundary: Boundary = "step",
    ) -> None:
        self.layers, self.layer_norm, self.boundary = layers, layer_norm, boundary  # `build` needs them
        super().__init__(vocabulary_size, num_classes, embedding_size, hidden_size, dropout, word_dropout)

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        widths = (hidden_size,) * self.layers
        self.levels = HMLSTM(embedding_size, widths, self.layer_norm, self.boundary)
        self.gates = GatedOutput(widths, hidden_size)

    def config(self) -> dict[str, Any]:
        """See `SentenceClassifier.config`."""
        own = {"layers": self.layers, "layer_norm": self.layer_norm, "boundary": self.boundary}
        return super().config() | own

    def forward(self, batch: SentenceBatch) -> Tensor:
        """See `FlatClassifier.forward`."""
        h, _, place = self._scan(batch)
        last = place[torch.arange(len(batch), device=h.device), batch.lengths - 1]
        return self.classify(self.gates(h[last]))

    def boundaries(self, batch: SentenceBatch) -> Tensor:
        """Return the boundaries after each word, (B, T, layers - 1) int64, for all layers but the top one.

        A value is 1 for a boundary (a soft one above 1/2) and else 0, also after the last word of the sentence.
        """
        _, z, place = self._scan(batch)
        return (z > 0.5).long()[place] * batch.mask[..., None]

    def anneal(self, epoch: float, per_epoch: float = 0.04) -> None:
        """Set the slope of the detectors for an epoch; arguments as for `annealed_slope`."""
        self.levels.slope = annealed_slope(epoch, per_epoch)

    def _scan(self, batch: SentenceBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Run the layers over the batch.

        Returns:
            Packed hidden states (words, layers * d); packed boundaries (words, layers - 1); and the packed row of each
            word, (B, T) int64, 0 after the last word.
        """
        vectors, where = self.words(batch)
        sequence, step, sizes = pack(batch.lengths)
        ends = step == batch.lengths[sequence] - 1
        h, z, _ = self.levels.scan(self.levels.project(vectors), where[sequence, step], sizes, ends=ends)
        place = torch.zeros_like(batch.tokens)
        place[sequence, step] = torch.arange(len(step), device=step.device)
        return h, z, place
