"""Baseline policies of skimming."""

from __future__ import annotations

import torch
from torch import Tensor

from hs_env.problems.skimming import NEXT, SKIP, STOP, Skimming
from hs_env.types import SentenceBatch

from .baselines import BASELINES, Heuristic


@BASELINES.register("read_all.v1")
class ReadAll(Heuristic):
    """Reads every word."""

    problems = (Skimming,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return `NEXT` everywhere."""
        return torch.full_like(batch.tokens, NEXT)


@BASELINES.register("first_half.v1")
class FirstHalf(Heuristic):
    """Reads the first half of the words, one more if their number is odd."""

    problems = (Skimming,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return `STOP` at the last word of the first half."""
        position = torch.arange(1, batch.tokens.shape[1] + 1, device=batch.tokens.device)
        return torch.where(position == (batch.lengths[:, None] + 1) // 2, STOP, NEXT)


@BASELINES.register("skip_always.v1")
class SkipAlways(Heuristic):
    """Skips words after every word that it reads."""

    problems = (Skimming,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return `SKIP` everywhere."""
        return torch.full_like(batch.tokens, SKIP)
