"""Define rewards that count actions, as shares of the words of a sentence. Subtract one to penalise what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hs_env.errors import HsEnvError
from hs_env.types import RETAIN, Episodes

from .base import REWARDS, Reward

if TYPE_CHECKING:
    from torch import Tensor

    from hs_env.problems.problem import Problem


def phrase_share(episodes: Episodes) -> Tensor:
    """Return (R,) n/L for n phrases, or retained words, of L words: the share of words whose action is not 0."""
    return episodes.closing.sum(1) / episodes.sentences.lengths


def deleted_share(episodes: Episodes) -> Tensor:
    """Return (R,) d/L for d deleted words of L words."""
    return (episodes.sentences.lengths - episodes.weight(RETAIN).sum(1)) / episodes.sentences.lengths


@REWARDS.register("phrases.v1")
@dataclass(frozen=True)
class Phrases(Reward):
    """R = n/L for n phrases (or retained words) in L words."""

    name = "phrases.v1"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        return {"phrases": phrase_share(episodes)}


@REWARDS.register("deletions.v1")
@dataclass(frozen=True)
class Deletions(Reward):
    """R = d/L for d deleted words (or words inside a phrase) of L words."""

    name = "deletions.v1"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        return {"deletions": deleted_share(episodes)}


@REWARDS.register("words_read.v1")
@dataclass(frozen=True)
class WordsRead(Reward):
    """R = r/L for r words read of L words, for skimming; subtract it to read less.

    For relaxed actions, it is the expected value if each action is sampled independently with its weight.
    """

    name = "words_read.v1"

    def check_problem(self, problem: Problem) -> None:
        """See `Reward.check_problem`."""
        from hs_env.problems.skimming import Skimming  # imports torch

        if not isinstance(problem, Skimming):
            raise HsEnvError(
                f"The reward {self.name!r} counts the words that skimming reads, but the problem is {problem.title}. "
                "Choose another reward, such as 'phrases' for retained words."
            )

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        from hs_env.problems.skimming import read_shares, words_read  # imports torch

        actions, lengths = episodes.actions, episodes.sentences.lengths
        read = read_shares(actions, lengths) if actions.is_floating_point() else words_read(actions, lengths)
        return {"words_read": read.sum(1) / lengths}


@REWARDS.register("transitions.v1")
@dataclass(frozen=True)
class Transitions(Reward):
    """R = c/L for c of L words whose action differs from the previous word's; subtract it to reduce such changes.

    This is the coherence term of rationales (Lei, Barzilay, Jaakkola, EMNLP 2016), divided by L. For relaxed actions,
    it is the expected value if each action is sampled independently with its probability.
    """

    name = "transitions.v1"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        actions, sentences = episodes.actions, episodes.sentences
        before, now = actions[:, :-1], actions[:, 1:]
        if not actions.is_floating_point():
            changed = (before != now).long()
        elif actions.ndim == 3:
            changed = 1 - (before * now).sum(2)
        else:
            changed = before * (1 - now) + now * (1 - before)
        return {"transitions": (changed * sentences.mask[:, 1:]).sum(1) / sentences.lengths}
