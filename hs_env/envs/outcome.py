"""The end of an episode: its reward, and what `info` says about it. One definition for every environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch

from hs_env.render import Segmented
from hs_env.rewards import Reward
from hs_env.types import Episodes

UNLABELLED: Final = -1
"""Label of a sentence whose class nobody knows."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an episode came to.

    Attributes:
        reward: The total.
        info: The entries of `info` that only its last step has.
    """

    reward: float
    info: dict[str, Any]


def outcomes(reward: Reward, episodes: Episodes, words: Sequence[tuple[str, ...]]) -> list[Outcome]:
    """Reward a batch of finished episodes, in one call.

    An `UNLABELLED` sentence is rewarded as if the classifier were right, and nothing is said about `correct`.

    Args:
        reward: The reward.
        episodes: R rows.
        words: The words of each row.
    """
    gold, predictions = episodes.sentences.labels, episodes.predictions
    labels = torch.where(gold == UNLABELLED, predictions, gold)
    episodes = replace(episodes, sentences=replace(episodes.sentences, labels=labels))
    rewarded = reward(episodes)
    totals = rewarded.total.tolist()
    terms = {name: values.tolist() for name, values in rewarded.terms.items()}
    actions, golds, guesses = episodes.actions.tolist(), gold.tolist(), predictions.tolist()
    found = []
    for row, total in enumerate(totals):
        phrases = Segmented(words[row], tuple(actions[row][: len(words[row])])).phrases
        info: dict[str, Any] = {
            "log_probs": episodes.log_probs[row].numpy().copy(),
            "prediction": guesses[row],
            "num_phrases": len(phrases),
            "phrases": tuple(" ".join(phrase) for phrase in phrases),
            "reward_terms": {name: values[row] for name, values in terms.items()},
        }
        if golds[row] != UNLABELLED:
            info["correct"] = golds[row] == guesses[row]
        found.append(Outcome(total, info))
    return found
