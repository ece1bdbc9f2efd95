"""Rewards that count decisions, as shares of the words of a sentence. To punish something, subtract it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hs_env.problems.distillation import RETAIN
from hs_env.types import Episodes

from .base import REWARDS, Reward


def phrase_share(episodes: Episodes) -> Tensor:
    """(R,) n/L for n phrases, or retained words, of L words: the share of words whose action is 1."""
    return episodes.weight(1).sum(1) / episodes.sentences.lengths


def deleted_share(episodes: Episodes) -> Tensor:
    """(R,) d/L for d deleted words of L."""
    return (episodes.sentences.lengths - episodes.weight(RETAIN).sum(1)) / episodes.sentences.lengths


@REWARDS.register("phrases.v1")
@dataclass(frozen=True)
class Phrases(Reward):
    """n/L for n phrases (or retained words) in L words."""

    name = "phrases.v1"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        return {"phrases": phrase_share(episodes)}


@REWARDS.register("deletions.v1")
@dataclass(frozen=True)
class Deletions(Reward):
    """d/L for d deleted words (or words inside a phrase) of L."""

    name = "deletions.v1"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        return {"deletions": deleted_share(episodes)}


@REWARDS.register("transitions.v1")
@dataclass(frozen=True)
class Transitions(Reward):
    """k/L for k words of L that are decided otherwise than the word before; subtracted, it makes decisions steady.

    It is the coherence term of rationales (Lei, Barzilay, Jaakkola, EMNLP 2016), divided by L. Of relaxed actions it is
    the mean if each were taken with its probability.
    """

    name = "transitions.v1"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        actions, sentences = episodes.actions, episodes.sentences
        before, now = actions[:, :-1], actions[:, 1:]
        changed = (before * (1 - now) + now * (1 - before)) * sentences.mask[:, 1:]
        return {"transitions": changed.sum(1) / sentences.lengths}
