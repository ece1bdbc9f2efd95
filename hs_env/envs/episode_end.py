"""The end of episodes: their reward and their infos. One definition for every environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from hs_env.envs.columns import Columns
from hs_env.problems.problem import Problem
from hs_env.rewards import Reward
from hs_env.types import Episodes

UNLABELLED: Final = -1
"""Label of a sentence whose class is unknown."""


@dataclass(frozen=True, slots=True)
class EpisodeEnd:
    """R finished episodes and their rewards.

    Attributes:
        episodes: The episodes; `UNLABELLED` where the class is unknown.
        reward: (R,) float32, the totals.
        terms: The terms of the reward, (R,) float32 each.
        words: The words of each sentence; empty where they are unknown.
    """

    episodes: Episodes
    reward: Tensor
    terms: dict[str, Tensor]
    words: Sequence[tuple[str, ...]]

    @classmethod
    def of(cls, reward: Reward, episodes: Episodes, words: Sequence[tuple[str, ...]]) -> EpisodeEnd:
        """Reward episodes, in one call. For an `UNLABELLED` sentence the predicted class counts as the gold one."""
        gold = episodes.sentences.labels
        labels = torch.where(gold == UNLABELLED, episodes.predictions, gold)
        rewarded = reward(replace(episodes, sentences=replace(episodes.sentences, labels=labels)))
        return cls(episodes, rewarded.total, rewarded.terms, words)

    def shaped(self, amount: Tensor) -> EpisodeEnd:
        """The same with the term "shaping", (R,), in the reward."""
        return replace(self, reward=self.reward + amount, terms={**self.terms, "shaping": amount})

    def columns(self, problem: Problem) -> Columns:
        """The entries of `info` that only the last step of an episode has."""
        gold, predictions = self.episodes.sentences.labels.numpy(), self.episodes.predictions.numpy()
        prediction: Columns = {
            "log_probs": self.episodes.log_probs.numpy(),
            "prediction": predictions,
            "correct": np.ma.masked_array(predictions == gold, gold == UNLABELLED),
            "reward_terms": {name: term.numpy().astype(np.float64) for name, term in self.terms.items()},
        }
        spans = problem.infos(self.words, self.episodes.actions, self.episodes.sentences.lengths)
        return prediction | {key: each.numpy() if isinstance(each, Tensor) else each for key, each in spans.items()}
