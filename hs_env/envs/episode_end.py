"""Rewards and infos of finished episodes, for all environments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from hs_env.compute import to_array
from hs_env.envs.columns import Columns
from hs_env.envs.resources import Resources
from hs_env.problems.problem import Problem
from hs_env.types import Episodes

UNLABELLED: Final = -1
"""Label of a sentence with an unknown class."""


@dataclass(frozen=True, slots=True)
class EpisodeEnd:
    """R finished episodes and their rewards.

    Attributes:
        episodes: Episodes, with the label `UNLABELLED` where the class is unknown.
        reward: (R,) float32 rewards of the last step: all of an episode's reward, or what a dense one leaves for it.
        terms: (R,) float32 terms of the episode's reward by name.
        words: Words of each sentence; empty where they are unknown.
        unit: What the words are.
        unweighted: (R,) float32 values of the terms of weight 0, before weighting, by name.
    """

    episodes: Episodes
    reward: Tensor
    terms: dict[str, Tensor]
    words: Sequence[tuple[str, ...]]
    unit: str
    unweighted: dict[str, Tensor]

    @classmethod
    def of(cls, resources: Resources, episodes: Episodes, words: Sequence[tuple[str, ...]]) -> EpisodeEnd:
        """Compute the rewards of episodes; the predicted class replaces the gold class of `UNLABELLED` sentences."""
        gold = episodes.sentences.labels
        labels = torch.where(gold == UNLABELLED, episodes.predictions, gold)
        rewarded = resources.reward(replace(episodes, sentences=replace(episodes.sentences, labels=labels)))
        last = rewarded.last(episodes.sentences.lengths)
        return cls(episodes, last, rewarded.terms, words, resources.unit, rewarded.unweighted)

    def shaped(self, amount: Tensor) -> EpisodeEnd:
        """Add the term "shaping", (R,), to the reward."""
        return replace(self, reward=self.reward + amount, terms={**self.terms, "shaping": amount})

    def columns(self, problem: Problem) -> Columns:
        """Return the infos that only the last step of an episode has."""
        gold, predictions = to_array(self.episodes.sentences.labels), to_array(self.episodes.predictions)
        prediction: Columns = {
            "log_probs": to_array(self.episodes.log_probs),
            "prediction": predictions,
            "correct": np.ma.masked_array(predictions == gold, gold == UNLABELLED),
            "reward_terms": {name: to_array(term).astype(np.float64) for name, term in self.terms.items()},
        }
        if self.unweighted:
            prediction["unweighted_terms"] = {
                name: to_array(term).astype(np.float64) for name, term in self.unweighted.items()
            }
        sentences, actions = self.episodes.sentences, self.episodes.actions
        return prediction | problem.infos(self.words, actions, sentences.lengths, self.unit)
