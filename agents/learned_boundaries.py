"""The boundaries that HM-LSTM or H-Net has learned, as a policy for other classifiers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from hs_env.compute import Device, from_array
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.models import Classifier, NestedClassifier
from hs_env.problems.segmentation import PhraseSegmentation
from hs_env.types import SentenceBatch, WordFeatures

from .baselines import Heuristic


class LearnedBoundaries(Heuristic):
    """Ends a phrase where the lowest level of a `NestedClassifier` has a boundary.

    Args:
        vocabulary: Vocabulary of the sentences to segment.
        classifier: Classifier that finds boundaries by itself; its vocabulary may be another.

    Raises:
        HsEnvError: If the classifier is another model.
    """

    problems = (PhraseSegmentation,)

    def __init__(self, vocabulary: Vocabulary, classifier: Classifier) -> None:
        super().__init__(vocabulary)
        if not isinstance(classifier.model, NestedClassifier):
            raise HsEnvError(f"Only HM-LSTM and H-Net find boundaries by themselves, got {classifier.model.title}.")
        self.model, self.contextual = classifier.model, classifier.contextual
        ids = list(classifier.vocabulary.encode(vocabulary.words))
        self._ids = torch.tensor(ids, device=classifier.device)

    @classmethod
    def load(cls, vocabulary: Vocabulary, run: str | Path, device: Device = "cpu") -> LearnedBoundaries:
        """Load the classifier of a run with `--model hm_lstm` or `h_net`, to the device of the sentences."""
        return cls(vocabulary, Classifier.load(run, device))

    @torch.no_grad()
    def plan(self, batch: SentenceBatch) -> Tensor:
        """See `Heuristic.plan`."""
        own = replace(batch, tokens=self._ids[batch.tokens], features=self._features(batch))
        return self.model.parse(own).boundaries[..., 0]

    def _features(self, batch: SentenceBatch) -> WordFeatures | None:
        """Return the contextual vectors that the classifier uses; those of the batch may come from another encoder."""
        if self.contextual is None:
            return None
        rows = zip(batch.tokens.tolist(), batch.lengths.tolist(), strict=True)
        words = [tuple(self.vocabulary.words[token] for token in row[:length]) for row, length in rows]
        device = self._ids.device
        return WordFeatures(
            from_array(self.contextual.on(device)(words), device), batch.lengths.cumsum(0) - batch.lengths
        )
