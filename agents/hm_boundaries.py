"""The boundaries that HM-LSTM finds, as a policy on other classifiers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.models import Classifier, HMLSTMClassifier
from hs_env.problems.segmentation import PhraseSegmentation
from hs_env.types import SentenceBatch, WordFeatures

from .baselines import Heuristic


class HMBoundaries(Heuristic):
    """A phrase ends where the lowest detector of an HM-LSTM has a boundary.

    Args:
        vocabulary: Vocabulary of the sentences that are segmented.
        classifier: An HM-LSTM, which may know other words.

    Raises:
        HsEnvError: If it is another model.
    """

    problems = (PhraseSegmentation,)

    def __init__(self, vocabulary: Vocabulary, classifier: Classifier) -> None:
        super().__init__(vocabulary)
        if not isinstance(classifier.model, HMLSTMClassifier):
            raise HsEnvError(f"Only HM-LSTM finds boundaries by itself; this is a {classifier.model.title}.")
        self.model, self.contextual = classifier.model, classifier.contextual
        self._ids = torch.tensor(list(classifier.vocabulary.encode(vocabulary.words)))

    @classmethod
    def load(cls, vocabulary: Vocabulary, run: str | Path) -> HMBoundaries:
        """The policy of a run of `hs-env train --model hm_lstm`."""
        return cls(vocabulary, Classifier.load(run))

    @torch.no_grad()
    def plan(self, batch: SentenceBatch) -> Tensor:
        """See `Heuristic.plan`."""
        own = replace(batch, tokens=self._ids[batch.tokens], features=self._features(batch))
        return self.model.boundaries(own)[..., 0]

    def _features(self, batch: SentenceBatch) -> WordFeatures | None:
        """Vectors of the encoder that the HM-LSTM reads, which need not be that of the batch."""
        if self.contextual is None:
            return None
        rows = zip(batch.tokens.tolist(), batch.lengths.tolist(), strict=True)
        vectors = self.contextual(
            [tuple(self.vocabulary.words[token] for token in row[:length]) for row, length in rows]
        )
        return WordFeatures(torch.from_numpy(vectors), batch.lengths.cumsum(0) - batch.lengths)
