"""HM-LSTM as a sentence classifier that learns the phrases of a sentence."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from hs_env.errors import check_ranges
from hs_env.models.hm.boundary import Boundary, annealed_slope, check_boundary, operation_shares
from hs_env.models.hm.layers import HMLSTM, GatedOutput, HMReading
from hs_env.models.lstm import pack
from hs_env.models.nested import NestedClassifier, Parse
from hs_env.models.rate import RateParameters
from hs_env.models.sentence import SentenceParameters
from hs_env.types import SentenceBatch


@dataclass(frozen=True)
class HMParameters(RateParameters, SentenceParameters):
    """Hold the parameters of HM-LSTM as a classifier."""

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
        self.check_rate()


class HMLSTMClassifier(NestedClassifier):
    """HM-LSTM over the words with a softmax on its gated output after the last word.

    With the hidden states h^l_t of `HMLSTM` and the output module `GatedOutput` of the paper::

        P(y|X) = softmax(W GatedOutput(h^1_L, h^2_L, ...) + b)

    With L the last word. A boundary is forced in every layer after it, so the top layer has received the whole
    sentence. The boundary detectors are trained by the straight-through estimator, from class labels only.

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
        slope_per_epoch: Growth of the slope of the detectors, see `anneal`.
        rate: Values of `RateParameters`: a target of the boundary rates, added to the loss of training.

    Attributes:
        levels: Layers of HM-LSTM.
        gates: Output module.
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
        **rate: Any,
    ) -> None:
        self.rate = RateParameters(**rate)
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
        return super().config() | {name: getattr(self, name) for name in own} | asdict(self.rate)

    def parse(self, batch: SentenceBatch, decide: bool = False) -> Parse:
        """See `NestedClassifier.parse`; soft boundaries count above 1/2."""
        reading, sequence, ends, place = self._scan(batch)
        boundaries = (reading.z > 0.5).long()[place] * batch.mask[..., None]
        decisions = self.levels.decisions(reading, sequence, ends) if decide else []
        return Parse(self._classes(reading.h, place, batch), boundaries, decisions)

    def _classes(self, h: Tensor, place: Tensor, batch: SentenceBatch) -> Tensor:
        """Return class log-probabilities, from packed hidden states and the packed row of each word."""
        last = place[torch.arange(len(batch), device=h.device), batch.lengths - 1]
        return self.classify(self.gates(h[last]))

    def anneal(self, epoch: float) -> dict[str, float]:
        """See `FlatClassifier.anneal`; sets the slope of the detectors."""
        self.levels.slope = annealed_slope(epoch, self.slope_per_epoch)
        return {"boundaries/slope": self.levels.slope}

    def boundary_shares(self, boundaries: Tensor, counted: Tensor) -> dict[str, float]:
        """See `NestedClassifier.boundary_shares`; adds those of UPDATE, COPY and FLUSH of each layer."""
        return operation_shares(boundaries.transpose(0, 1).float(), counted.t())

    def _scan(self, batch: SentenceBatch) -> tuple[HMReading, Tensor, Tensor, Tensor]:
        """Run the layers over the batch.

        Returns:
            Result of the scan; for each packed word its sentence, (words,) int64, and whether it is the last one,
            (words,) bool; and the packed row of each word, (B, T) int64, 0 after the last word.
        """
        vectors, where = self.words(batch)
        sequence, step, sizes = pack(batch.lengths)
        ends = step == batch.lengths[sequence] - 1
        reading = self.levels.scan(self.levels.project(vectors), where[sequence, step], sizes, ends=ends)
        place = torch.zeros_like(batch.tokens)
        place[sequence, step] = torch.arange(len(step), device=step.device)
        return reading, sequence, ends, place
