"""The end of episodes: their reward, and what `info` says about them. One definition for every environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Final

import numpy as np
import torch
from torch import Tensor

from hs_env.envs.columns import Columns
from hs_env.rewards import Reward
from hs_env.types import Episodes, Task, phrases_of

UNLABELLED: Final = -1
"""Label of a sentence whose class nobody knows."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What R finished episodes came to.

    Attributes:
        episodes: The episodes; `UNLABELLED` where nobody knows the class.
        reward: (R,) float32, the totals.
        terms: The terms of the reward, (R,) float32 each.
        words: The words of each sentence; empty where nobody knows them.
    """

    episodes: Episodes
    reward: Tensor
    terms: dict[str, Tensor]
    words: Sequence[tuple[str, ...]]

    @classmethod
    def of(cls, reward: Reward, episodes: Episodes, words: Sequence[tuple[str, ...]]) -> Outcome:
        """Reward episodes, in one call. An `UNLABELLED` sentence is rewarded as if the classifier were right."""
        gold = episodes.sentences.labels
        labels = torch.where(gold == UNLABELLED, episodes.predictions, gold)
        rewarded = reward(replace(episodes, sentences=replace(episodes.sentences, labels=labels)))
        return cls(episodes, rewarded.total, rewarded.terms, words)

    def shaped(self, amount: Tensor) -> Outcome:
        """The same with the term "shaping", (R,), in the reward."""
        return replace(self, reward=self.reward + amount, terms={**self.terms, "shaping": amount})

    def columns(self, task: Task) -> Columns:
        """The entries of `info` that only the last step of an episode has."""
        gold, predictions = self.episodes.sentences.labels.numpy(), self.episodes.predictions.numpy()
        verdict: Columns = {
            "log_probs": self.episodes.log_probs.numpy(),
            "prediction": predictions,
            "correct": np.ma.masked_array(predictions == gold, gold == UNLABELLED),
            "reward_terms": {name: term.numpy().astype(np.float64) for name, term in self.terms.items()},
        }
        return verdict | _STRUCTURE[task.structure](self)


def _phrases(outcome: Outcome) -> Columns:
    rows = zip(outcome.words, outcome.episodes.actions.tolist(), strict=True)
    phrases = [tuple(map(" ".join, phrases_of(words, actions))) for words, actions in rows]
    return {"num_phrases": outcome.episodes.num_phrases.numpy(), "phrases": phrases}


def _retained(outcome: Outcome) -> Columns:
    rows = zip(outcome.words, outcome.episodes.actions.tolist(), strict=True)
    retained = [tuple(compress(words, actions)) for words, actions in rows]
    return {"num_retained": outcome.episodes.num_retained.numpy(), "retained": retained}


_STRUCTURE: Final = {"phrases": _phrases, "selection": _retained}
"""What is said about the structure that an agent found."""
