"""Policies that learn nothing: the structures that a trained P-Net has to beat."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from hs_env.corpora.vocabulary import Vocabulary
from hs_env.registry import Registry
from hs_env.types import END, INSIDE, HsEnvError, SentenceBatch

from .base import Agent, Decision

BASELINES: Registry[Callable[[Vocabulary], Agent]] = Registry("baseline")
"""Makers of baseline policies by versioned name; the vocabulary tells word classes apart."""

FUNCTION_WORDS = frozenset(
    """a an the this that these those my your his her its our their some any no every each all both either neither
    of in on at by for with about against between into through during before after above below to from up down out
    off over under as than and or but nor so yet if because while although though when where since until unless
    i you he she it we they me him us them who whom whose which what there
    is are was were be been being am 's 're 'm 've 'd 'll do does did has have had having can could may might must
    shall should will would not n't""".split()
)
"""Closed-class words of English: determiners, prepositions, conjunctions, pronouns, auxiliaries."""

PUNCTUATION = frozenset(". , ; : ! ? ... -- - ( ) [ ] \" ' ` `` '' – —".split())


class Heuristic(Agent):
    """A policy that plans the whole sentence before it is read."""

    @abstractmethod
    def plan(self, batch: SentenceBatch) -> Tensor:
        """(B, T) int64 actions; the last word of each sentence ends a phrase whatever the plan says."""

    def begin(self, batch: SentenceBatch, samples: int = 1) -> Tensor:
        """The plan: the memory of a row is what is still to do."""
        return finished_plan(self.plan(batch), batch).repeat_interleave(samples, 0)

    def act(
        self,
        observation: Tensor,
        legal: Tensor,
        memory: Tensor,
        *,
        deterministic: bool = True,
        generator: torch.Generator | None = None,
    ) -> Decision:
        """The next planned action, with probability one."""
        certain = observation.new_zeros(len(memory))
        return Decision(memory[:, 0], certain, certain, memory[:, 1:])


def finished_plan(actions: Tensor, batch: SentenceBatch) -> Tensor:
    """`actions` (B, T) with `END` on each last word and 0 behind it."""
    actions = actions.long() * batch.mask
    return actions.scatter(1, batch.lengths[:, None] - 1, END)


@BASELINES.register("all_inside.v1")
class AllInside(Heuristic):
    """The whole sentence is one phrase."""

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        pass

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`INSIDE` everywhere."""
        return torch.full_like(batch.tokens, INSIDE)


@BASELINES.register("all_end.v1")
class AllEnd(Heuristic):
    """Every word is a phrase."""

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        pass

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`END` everywhere."""
        return torch.full_like(batch.tokens, END)


@BASELINES.register("every_k.v1")
class EveryK(Heuristic):
    """A phrase every k words; without k the paper's `int(sqrt(L) + 0.5)`, its rule where there is no parser."""

    def __init__(self, vocabulary: Vocabulary | None = None, k: int | None = None) -> None:
        if k is not None and k < 1:
            raise HsEnvError(f"A phrase has at least one word, got k = {k}.")
        self.k = k

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`END` on every k-th word."""
        position = torch.arange(1, batch.tokens.shape[1] + 1, device=batch.tokens.device)
        k = (batch.lengths.sqrt() + 0.5).long() if self.k is None else torch.full_like(batch.lengths, self.k)
        return (position % k[:, None] == 0).long()


@BASELINES.register("punctuation.v1")
class Punctuation(Heuristic):
    """A phrase ends at a punctuation mark."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._mark = _membership(vocabulary, PUNCTUATION)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`END` on every mark."""
        return self._mark[batch.tokens].long()


@BASELINES.register("function_words.v1")
class FunctionWords(Heuristic):
    """Chinks and chunks (Liberman and Church 1992): a phrase is function words, then content words."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._function = _membership(vocabulary, FUNCTION_WORDS)
        self._mark = _membership(vocabulary, PUNCTUATION)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`END` on a content word before a function word, and on every mark."""
        function, mark = self._function[batch.tokens], self._mark[batch.tokens]
        before_function = torch.zeros_like(function)
        before_function[:, :-1] = function[:, 1:] & ~function[:, :-1]
        return (before_function | mark).long()


@BASELINES.register("gold.v1")
class Gold(Heuristic):
    """The gold phrases of a corpus that has them."""

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        pass

    def plan(self, batch: SentenceBatch) -> Tensor:
        """The gold boundaries."""
        if batch.boundaries is None:
            raise HsEnvError("The baseline 'gold' needs gold phrases, and this corpus has none. Leave it out.")
        return batch.boundaries


@BASELINES.register("random.v1")
class Random(Agent):
    """Each word ends a phrase with probability p."""

    def __init__(self, vocabulary: Vocabulary | None = None, p: float = 0.5) -> None:
        if not 0 < p < 1:
            raise HsEnvError(f"The probability of END must lie between 0 and 1, got {p}.")
        self.p = p

    def act(
        self,
        observation: Tensor,
        legal: Tensor,
        memory: Tensor,
        *,
        deterministic: bool = True,
        generator: torch.Generator | None = None,
    ) -> Decision:
        """A draw, also when `deterministic` is asked for: this policy has no better action than another."""
        free = legal.all(1)
        end = torch.rand(len(legal), generator=generator, device=legal.device) < self.p
        probability = torch.where(end, self.p, 1 - self.p)
        surprise = torch.tensor([self.p, 1 - self.p]).log().neg()
        entropy = (torch.tensor([self.p, 1 - self.p]) * surprise).sum()
        actions = torch.where(free, end, legal[:, 1]).long()
        return Decision(actions, probability.log() * free, entropy * free, memory)


def make_baseline(name: str, vocabulary: Vocabulary, **parameters: Any) -> Agent:
    """The baseline policy registered as `name`, for sentences over `vocabulary`."""
    return BASELINES.get(name)(vocabulary, **parameters)


def _membership(vocabulary: Vocabulary, words: Iterable[str]) -> Tensor:
    """(V,) bool: which tokens are among `words`, in lower case."""
    chosen = frozenset(words)
    return torch.tensor([word.lower() in chosen for word in vocabulary.words])
