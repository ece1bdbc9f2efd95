"""H-Net as a sentence classifier that learns the phrases of a sentence."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from hs_env.errors import check_ranges
from hs_env.models.h_net.layers import HNet
from hs_env.models.lstm import LSTM
from hs_env.models.nested import NestedClassifier, Parse
from hs_env.models.rate import DEFAULT_RATE, RateParameters
from hs_env.models.sentence import SentenceParameters
from hs_env.types import SentenceBatch


@dataclass(frozen=True)
class HNetParameters(RateParameters, SentenceParameters):
    """Hold the parameters of H-Net as a classifier."""

    boundary_rate: float = DEFAULT_RATE
    """Target share of the words that end a phrase, unless `rate_weight` is 0. With two stages, the same share of these
    also end a phrase of the second level."""
    layers: int = 1
    """Number of layers of the main network, which reads the chunks."""
    stages: int = 1
    """Number of times that a sentence is cut, 1 or 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, layers=(1, 100), stages=(1, 2))
        self.check_rate()


class HNetClassifier(NestedClassifier):
    """H-Net over the words, with a softmax on its output at the last word.

    With the output y_L of `HNet` at the last word::

        P(y|X) = softmax(W y_L + b)

    A phrase ends at a word with a boundary, whose vector goes up to the main network, and at the last word. The router
    learns from the classes, by smoothing and confidence (see `HNet`), and from the target rate.

    Args:
        vocabulary_size: V, as for `SentenceClassifier`.
        num_classes: C, number of classes.
        embedding_size: e, width of the word vectors.
        hidden_size: d, width of all layers.
        dropout: Dropout probability on the word vectors and before the softmax, in training mode.
        word_dropout: Probability of dropping a whole word vector, in training mode.
        layers: Number of layers of the innermost main network.
        stages: Number of times that a sentence is cut.
        rate: Values of `RateParameters`: a target of the boundary rates, added to the loss of training.

    Attributes:
        levels: Encoder, router, main network and decoder.
    """

    title, Parameters = "H-Net", HNetParameters

    def __init__(
        self,
        vocabulary_size: int,
        num_classes: int,
        embedding_size: int = 50,
        hidden_size: int = 300,
        dropout: float = 0.5,
        word_dropout: float = 0.0,
        layers: int = 1,
        stages: int = 1,
        **rate: Any,
    ) -> None:
        self.rate = RateParameters(**rate)
        self.layers, self.stages = layers, stages  # `build` reads them
        super().__init__(vocabulary_size, num_classes, embedding_size, hidden_size, dropout, word_dropout)

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        self.levels = HNet(embedding_size, hidden_size, self.layers, self.stages, whole=True)
        for layer in self.levels.modules():
            if isinstance(layer, LSTM):  # normalised zeros, of a dropped word, would have huge gradients
                with torch.no_grad():
                    layer.bias[3 * hidden_size :].uniform_(-(hidden_size**-0.5), hidden_size**-0.5)

    def config(self) -> dict[str, Any]:
        """See `SentenceClassifier.config`."""
        return super().config() | {"layers": self.layers, "stages": self.stages} | asdict(self.rate)

    def parse(self, batch: SentenceBatch, decide: bool = False) -> Parse:
        """See `NestedClassifier.parse`."""
        vectors, _ = self.words(batch)
        reading = self.levels(vectors, torch.arange(len(vectors), device=vectors.device), batch.lengths)
        boundaries = batch.tokens.new_zeros(*batch.tokens.shape, self.stages)
        boundaries[batch.mask] = reading.boundaries.long()
        log_probs = self.classify(reading.output[batch.lengths.cumsum(0) - 1])
        return Parse(log_probs, boundaries, reading.decisions if decide else [])
