"""Baseline policies of phrase modules. Those of phrase segmentation also work; their phrases are read by `ASSERT`."""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.problems.modules import ASSERT, PhraseModules
from hs_env.types import SentenceBatch

from .baselines import BASELINES, Gold

_PRIME = 2_654_435_761  # Knuth's multiplicative hash


@BASELINES.register("gold_phrases.v1")
class GoldPhrases(Gold):
    """Takes the gold phrases of a corpus that has them, and reads all of them by `ASSERT`."""

    problems = (PhraseModules,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return `ASSERT` at the last word of each gold phrase."""
        return super().plan(batch).clamp(max=ASSERT)


@BASELINES.register("random_modules.v1")
class RandomModules(Gold):
    """Takes the gold phrases of a corpus that has them, and a pseudo-random module for each.

    The module is a hash of the words of the sentence so far, so it is the same whenever the sentence is read.
    """

    problems = (PhraseModules,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return a pseudo-random module at the last word of each gold phrase."""
        modules = len(PhraseModules.actions) - 1
        mixed = batch.tokens.cumsum(1) * _PRIME % 2**32 >> 16
        return torch.where(super().plan(batch) > 0, ASSERT + mixed % modules, 0)
