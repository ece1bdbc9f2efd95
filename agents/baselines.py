"""Policies that learn nothing: what a trained P-Net has to beat, for each task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor

from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.registry import Registry
from hs_env.types import DISTILLATION, END, INSIDE, RETAIN, SEGMENTATION, SentenceBatch, Task

from .base import Agent, Decision

FUNCTION_WORDS = frozenset(
    """a an the this that these those my your his her its our their some any no every each all both either neither
    of in on at by for with about against between into through during before after above below to from up down out
    off over under as than and or but nor so yet if because while although though when where since until unless
    i you he she it we they me him us them who whom whose which what there
    is are was were be been being am 's 're 'm 've 'd 'll do does did has have had having can could may might must
    shall should will would not n't""".split()
)
"""Closed-class words of English: determiners, prepositions, conjunctions, pronouns, auxiliaries."""

NEGATIONS = frozenset("no not n't nor neither never without".split())
"""Words that turn the meaning of others round, which no one may leave out."""

PUNCTUATION = frozenset(". , ; : ! ? ... -- - ( ) [ ] \" ' ` `` '' – —".split())


class Baseline(Agent):
    """A policy that learns nothing, made for sentences over a vocabulary.

    Attributes:
        tasks: What it can decide.
    """

    tasks: ClassVar[tuple[Task, ...]]

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary


BASELINES: Registry[type[Baseline]] = Registry("baseline")
"""Baseline policies by versioned name; each is built from a vocabulary, which tells word classes apart."""


class Heuristic(Baseline):
    """A policy that plans the whole sentence before it is read."""

    @abstractmethod
    def plan(self, batch: SentenceBatch) -> Tensor:
        """(B, T) int64 actions that are wanted, anything behind the end; the encoder decides which are legal."""

    def begin(self, batch: SentenceBatch, samples: int = 1) -> Tensor:
        """The plan: the memory of a row is what is still to do."""
        return self.plan(batch).repeat_interleave(samples, 0)

    def act(
        self,
        observation: Tensor,
        legal: Tensor,
        memory: Tensor,
        *,
        deterministic: bool = True,
        generator: torch.Generator | None = None,
    ) -> Decision:
        """The next planned action, or the only legal one, with probability one."""
        certain = observation.new_zeros(len(memory))
        actions = torch.where(legal.all(1), memory[:, 0], legal[:, 1].long())
        return Decision(actions, certain, certain, memory[:, 1:])


@BASELINES.register("all_inside.v1")
class AllInside(Heuristic):
    """The whole sentence is one phrase."""

    tasks = (SEGMENTATION,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`INSIDE` everywhere."""
        return torch.full_like(batch.tokens, INSIDE)


@BASELINES.register("all_end.v1")
class AllEnd(Heuristic):
    """Every word is a phrase."""

    tasks = (SEGMENTATION,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`END` everywhere."""
        return torch.full_like(batch.tokens, END)


@BASELINES.register("every_k.v1")
class EveryK(Heuristic):
    """A phrase every k words; without k the paper's `int(sqrt(L) + 0.5)`, its rule where there is no parser."""

    tasks = (SEGMENTATION,)

    def __init__(self, vocabulary: Vocabulary, k: int | None = None) -> None:
        super().__init__(vocabulary)
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

    tasks = (SEGMENTATION,)

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._mark = _membership(vocabulary, PUNCTUATION)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`END` on every mark."""
        return self._mark[batch.tokens].long()


@BASELINES.register("function_words.v1")
class FunctionWords(Heuristic):
    """Chinks and chunks (Liberman and Church 1992): a phrase is function words, then content words."""

    tasks = (SEGMENTATION,)

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
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

    tasks = (SEGMENTATION,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """The gold boundaries."""
        if batch.boundaries is None:
            raise HsEnvError("The baseline 'gold' needs gold phrases, and this corpus has none. Leave it out.")
        return batch.boundaries


@BASELINES.register("all_retain.v1")
class AllRetain(Heuristic):
    """The plain sentence: every word is retained."""

    tasks = (DISTILLATION,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`RETAIN` everywhere."""
        return torch.full_like(batch.tokens, RETAIN)


@BASELINES.register("content_words.v1")
class ContentWords(Heuristic):
    """Function words and punctuation marks are deleted, but no negation."""

    tasks = (DISTILLATION,)

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._deleted = _membership(vocabulary, (FUNCTION_WORDS | PUNCTUATION) - NEGATIONS)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`RETAIN` on content words and negations."""
        return (~self._deleted[batch.tokens]).long()


@BASELINES.register("no_punctuation.v1")
class NoPunctuation(Heuristic):
    """Punctuation marks are deleted."""

    tasks = (DISTILLATION,)

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._mark = _membership(vocabulary, PUNCTUATION)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`RETAIN` on everything but marks."""
        return (~self._mark[batch.tokens]).long()


@BASELINES.register("random.v1")
class Random(Baseline):
    """Each word ends a phrase, or is retained, with probability p."""

    tasks = (SEGMENTATION, DISTILLATION)

    def __init__(self, vocabulary: Vocabulary, p: float = 0.5) -> None:
        super().__init__(vocabulary)
        if not 0 < p < 1:
            raise HsEnvError(f"The probability of END or RETAIN must lie between 0 and 1, got {p}.")
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
        wanted = torch.rand(len(legal), generator=generator, device=legal.device) < self.p
        probability = torch.where(wanted, self.p, 1 - self.p)
        surprise = torch.tensor([self.p, 1 - self.p]).log().neg()
        entropy = (torch.tensor([self.p, 1 - self.p]) * surprise).sum()
        actions = torch.where(free, wanted, legal[:, 1]).long()
        return Decision(actions, probability.log() * free, entropy * free, memory)


def baselines_for(task: Task) -> list[str]:
    """The names of the baselines that can decide `task`."""
    return [name for name in BASELINES if task in BASELINES.get(name).tasks]


def make_baseline(name: str, vocabulary: Vocabulary, task: Task = SEGMENTATION, **parameters: Any) -> Baseline:
    """The baseline policy registered as `name`, for sentences over `vocabulary`.

    Raises:
        HsEnvError: If there is none of that name, or it is for another task; the message names those that fit.
    """
    kind = BASELINES.get(name)
    if task not in kind.tasks:
        others = " and ".join(other.name for other in kind.tasks)
        raise HsEnvError(
            f"The baseline {name!r} is for {others}, not for {task.name}. Choose one of: "
            f"{', '.join(each.rpartition('.')[0] for each in baselines_for(task))}."
        )
    return kind(vocabulary, **parameters)


def _membership(vocabulary: Vocabulary, words: Iterable[str]) -> Tensor:
    """(V,) bool: which tokens are among `words`, in lower case."""
    chosen = frozenset(words)
    return torch.tensor([word.lower() in chosen for word in vocabulary.words])
