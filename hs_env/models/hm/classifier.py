"""HM-LSTM as a classifier of sentences, which finds their phrases by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hs_env.errors import check_ranges
from hs_env.models.hm.boundary import Boundary, annealed_slope, check_boundary
from hs_env.models.hm.layers import HMLSTM, GatedOutput
from hs_env.models.lstm import pack
from hs_env.models.sentence import FlatClassifier, SentenceParameters
from hs_env.types import SentenceBatch


@dataclass(frozen=True)
class HMParameters(SentenceParameters):
    """Parameters of HM-LSTM as a classifier."""

    layers: int = 3
    """Number of layers, 2 or more."""
    layer_norm: bool = True
    """Whether the summed inputs of each layer are normalised."""
    boundary: Boundary = "step"
    """How the detectors decide in training: `step`, `sample` or `soft`."""
    slope_per_epoch: float = 0.04
    """The slope of the detectors is min(5, 1 + slope_per_epoch * epoch)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, layers=(2, 100), slope_per_epoch=(0, 1e6))
        check_boundary(self.boundary)


class HMLSTMClassifier(FlatClassifier):
    """Layers of HM-LSTM over the words, and a softmax on their gated output at the last word.

    The last word of a sentence is a boundary of every layer, so that the top one has read it all. Boundaries are learnt
    straight through, by the labels alone.

    Args:
        vocabulary_size: As of `SentenceClassifier`, like the next ones.
        num_classes: C.
        embedding_size: e.
        hidden_size: d, width of each layer and of the gated output.
        dropout: On the word vectors and before the softmax.
        word_dropout: Of whole word vectors.
        layers: N, two or more; the paper's models have three.
        layer_norm: As of `HMLSTM`.
        boundary: How detectors decide, as of `HMLSTM`.

    Attributes:
        levels: The layers.
    """

    title, Parameters = "HM-LSTM", HMParameters

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
        slope_per_epoch: float = 0.04,
    ) -> None:
        self.layers, self.layer_norm, self.boundary = layers, layer_norm, boundary  # `build` reads them
        self.slope_per_epoch = slope_per_epoch
        super().__init__(vocabulary_size, num_classes, embedding_size, hidden_size, dropout, word_dropout)

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        widths = (hidden_size,) * self.layers
        self.levels = HMLSTM(embedding_size, widths, self.layer_norm, self.boundary)
        self.gates = GatedOutput(widths, hidden_size)

    def config(self) -> dict[str, Any]:
        """See `SentenceClassifier.config`."""
        own = ("layers", "layer_norm", "boundary", "slope_per_epoch")
        return super().config() | {name: getattr(self, name) for name in own}

    def forward(self, batch: SentenceBatch) -> Tensor:
        """See `FlatClassifier.forward`."""
        h, _, place = self._read(batch)
        last = place[torch.arange(len(batch), device=h.device), batch.lengths - 1]
        return self.classify(self.gates(h[last]))

    def boundaries(self, batch: SentenceBatch) -> Tensor:
        """(B, T, N - 1) int64: whether each layer but the top one has a boundary behind each word; 0 behind the end.

        A soft boundary counts where it is above a half.
        """
        _, z, place = self._read(batch)
        return (z > 0.5).long()[place] * batch.mask[..., None]

    def anneal(self, epoch: float) -> None:
        """Set the slope of the detectors to what it is at this epoch, counted from 0, whole or not."""
        self.levels.slope = annealed_slope(epoch, self.slope_per_epoch)

    def _read(self, batch: SentenceBatch) -> tuple[Tensor, Tensor, Tensor]:
        """States and boundaries of all words, packed, and (B, T) where each word stands there (any, behind the end)."""
        vectors, where = self.words(batch)
        sequence, step, sizes = pack(batch.lengths)
        ends = step == batch.lengths[sequence] - 1
        h, z, _ = self.levels.scan(self.levels.project(vectors), where[sequence, step], sizes, ends=ends)
        place = torch.zeros_like(batch.tokens)
        place[sequence, step] = torch.arange(len(step), device=step.device)
        return h, z, place
