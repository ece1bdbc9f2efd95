"""Base classes of all sentence classifiers: word vectors at the bottom, a softmax on top."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hs_env.errors import check_ranges
from hs_env.models.words import WordEmbedding, WordVectorLayer
from hs_env.ranks import Dropout
from hs_env.types import SentenceBatch


@dataclass(frozen=True)
class SentenceParameters:
    """Parameters of a classifier of sentences."""

    hidden_size: int = 300
    """Width of each LSTM level."""
    dropout: float = 0.6
    """Dropout probability on the word vectors and before the softmax."""
    word_dropout: float = 0.2
    """Probability that a whole word vector is dropped."""

    def __post_init__(self) -> None:
        check_ranges(self, hidden_size=(1, 1e5), dropout=(0, 0.99), word_dropout=(0, 0.99))


class SentenceClassifier(nn.Module, ABC):
    """Word vectors, the layers that a subclass builds on them, and a softmax on the representation of the sentence.

    Args:
        vocabulary_size: V, number of words, including padding and the unknown word.
        num_classes: C, number of classes.
        embedding_size: e, width of the word vectors.
        hidden_size: d, width of the hidden state of each layer.
        dropout: Dropout probability on the word vectors and before the softmax, in training mode.
        word_dropout: Probability of dropping a whole word vector, in training mode.

    Attributes:
        Parameters: Dataclass of the constructor's arguments that a user chooses, `TrainConfig.model_parameters`.
        representation_size: Width of the representation of a sentence: d, unless `build` sets another.
    """

    Parameters: ClassVar[type[Any]] = SentenceParameters

    def __init__(
        self,
        vocabulary_size: int,
        num_classes: int,
        embedding_size: int = 50,
        hidden_size: int = 300,
        dropout: float = 0.5,
        word_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_classes, self.hidden_size = num_classes, hidden_size
        self.words: WordVectorLayer = WordEmbedding(vocabulary_size, embedding_size, dropout, word_dropout)
        self.representation_size = hidden_size
        self.build(embedding_size, hidden_size)
        self.dropout = Dropout(dropout, "episodes")
        self.output = nn.Linear(self.representation_size, num_classes)

    @abstractmethod
    def build(self, embedding_size: int, hidden_size: int) -> None:
        """Create the layers between the word vectors and the softmax. The constructor calls this once.

        Args:
            embedding_size: e, width of the word vectors.
            hidden_size: d, width of the hidden state of each layer.
        """

    def classify(self, h: Tensor) -> Tensor:
        """Return class log-probabilities (R, C) of representations `h` (R, representation_size)."""
        return torch.log_softmax(self.output(self.dropout(h)), 1)

    def config(self) -> dict[str, Any]:
        """Return the keyword arguments of the constructor, as JSON values."""
        return {
            "vocabulary_size": self.words.vocabulary_size,
            "num_classes": self.num_classes,
            "embedding_size": self.words.embedding_size,
            "hidden_size": self.hidden_size,
            "dropout": self.dropout.p,
            "word_dropout": self.words.word_dropout.p,
        }


class FlatClassifier(SentenceClassifier):
    """A sentence classifier that takes no actions and uses no given structure.

    Attributes:
        title: Name of the model in tables.
    """

    title: ClassVar[str]

    @abstractmethod
    def forward(self, batch: SentenceBatch) -> Tensor:
        """Return class log-probabilities, (B, C) float32."""

    def penalised(self, batch: SentenceBatch) -> tuple[Tensor, Tensor | None]:
        """Return what `forward` returns, and a scalar that training adds to the loss, or None."""
        return self(batch), None

    def anneal(self, epoch: float) -> dict[str, float]:
        """Adapt to the epoch of training, counted from 0 and possibly fractional, and return what was set, by name."""
        return {}
