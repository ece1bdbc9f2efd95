"""Vectors of phrases, which a trained classifier computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hs_env.agents import Agent
from hs_env.compute import isolated, to_array
from hs_env.corpora.encoded import EncodedSplit
from hs_env.errors import HsEnvError
from hs_env.metrics.scores import greedy_episodes
from hs_env.models import HSLSTM, Classifier, SentenceClassifier, StructuredEncoder
from hs_env.types import Sentence

_BATCH = 512


def hs_lstm_of(classifier: Classifier) -> HSLSTM:
    """Return the classifier's HS-LSTM.

    Raises:
        HsEnvError: If it has another model.
    """
    if not isinstance(classifier.model, HSLSTM):
        kind = type(classifier.model).__name__
        raise HsEnvError(f"{kind} has no phrase vectors. Choose a run of HS-LSTM, such as 'phrases'.")
    return classifier.model


@isolated
@torch.no_grad()
def phrase_vectors(classifier: Classifier, phrases: Sequence[tuple[str, ...]]) -> NDArray[np.float32]:
    """Compute the vector that HS-LSTM's phrase level takes for each phrase.

    Returns:
        (phrases, d) float32.

    Raises:
        HsEnvError: If the classifier is not an HS-LSTM.
    """
    encoder = hs_lstm_of(classifier)
    split = classifier.encode([Sentence(phrase, 0) for phrase in phrases])
    batches = split.batches(4096)
    return _in_order(
        len(phrases), encoder.hidden_size, ((each.indices, encoder.phrase_vectors(each)) for each in batches)
    )


@isolated
@torch.no_grad()
def sentence_vectors(
    classifier: Classifier, agent: Agent | None, sentences: Sequence[tuple[str, ...]]
) -> NDArray[np.float32]:
    """Compute the representation of each sentence from which the softmax computes the class.

    Args:
        classifier: Classifier.
        agent: P-Net that decides the words, if the classifier takes actions.
        sentences: Words of each sentence.

    Returns:
        (sentences, representation_size) float32.

    Raises:
        HsEnvError: If the classifier is not a `SentenceClassifier`.
    """
    model = classifier.model
    if not isinstance(model, SentenceClassifier):
        raise HsEnvError(f"{type(model).__name__} is no SentenceClassifier, so its representation is not known.")
    split = classifier.encode([Sentence(words, 0) for words in sentences])
    return _in_order(len(sentences), model.representation_size, _softmax_inputs(model, agent, split))


def _softmax_inputs(
    model: SentenceClassifier, agent: Agent | None, split: EncodedSplit
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield indices of sentences, (B,) int64, and the inputs of the softmax for them, (B, representation_size)."""
    taken: list[Tensor] = []

    def take(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        taken[:] = inputs

    with model.output.register_forward_pre_hook(take):
        if isinstance(model, StructuredEncoder):
            assert agent is not None
            for episodes in greedy_episodes(model, agent, split):
                model(episodes.sentences, episodes.actions)
                yield episodes.sentences.indices, taken[0]
        else:
            for batch in split.batches(_BATCH):
                model(batch)
                yield batch.indices, taken[0]


def _in_order(count: int, width: int, batches: Iterator[tuple[Tensor, Tensor]]) -> NDArray[np.float32]:
    """Put the vectors of batches in the order of their indices."""
    vectors = np.empty((count, width), np.float32)
    for indices, found in batches:
        vectors[to_array(indices)] = to_array(found)
    return vectors
