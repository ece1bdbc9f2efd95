"""Baseline policies of each decision problem, which learn nothing."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from hs_env.compute import CPU
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError, shown
from hs_env.problems.chunking import Chunking
from hs_env.problems.composition import Composition
from hs_env.problems.distillation import RETAIN, InformationDistillation
from hs_env.problems.problem import Problem, nearest_legal
from hs_env.problems.segmentation import END, INSIDE, PhraseSegmentation
from hs_env.registry import Registry, stem_of, unknown_name
from hs_env.types import SentenceBatch

from .base import Agent, Decision, PolicyInput
from .choice import CategoricalChoice

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
"""Words that reverse the meaning of others."""

PUNCTUATION = frozenset(". , ; : ! ? ... -- - ( ) [ ] \" ' ` `` '' – —".split())


class Baseline(Agent):
    """A policy that learns nothing; it recognises word classes by the vocabulary of the sentences.

    Attributes:
        problems: Classes of the decision problems that it supports.
        needs_gold: Whether it needs sentences with gold actions.
    """

    problems: ClassVar[tuple[type[Problem], ...]]
    needs_gold: ClassVar[bool] = False

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary


BASELINES: Registry[type[Baseline]] = Registry("baseline", group="hs_env.baselines", subclasses_of=(Baseline,))
"""Classes of baseline policies by versioned name."""


class Heuristic(Baseline):
    """A policy that decides all words of a sentence in advance."""

    observes = False

    @abstractmethod
    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return the wanted actions, (B, T) int64; values after the last word are ignored."""

    def begin(self, batch: SentenceBatch, samples: int = 1) -> Tensor:
        """Return the plan; the memory of a row is the part of the plan that is left."""
        return self.checked_plan(batch).repeat_interleave(samples, 0)

    def checked_plan(self, batch: SentenceBatch) -> Tensor:
        """Return what `plan` returns.

        Raises:
            HsEnvError: If these are no actions (B, T) int64.
        """
        plan: Any = self.plan(batch)
        expected = (torch.int64, batch.tokens.shape)
        if not isinstance(plan, Tensor) or (plan.dtype, plan.shape) != expected:
            came = f"{plan.dtype} {tuple(plan.shape)}" if isinstance(plan, Tensor) else shown(plan)
            raise HsEnvError(
                f"The plan of the baseline {type(self).__name__} must be a tensor of actions, torch.int64 "
                f"{tuple(batch.tokens.shape)}; got {came}."
            )
        return plan

    def act(self, inputs: PolicyInput) -> Decision:
        """Take the next planned action, or the nearest legal one, with probability 1."""
        certain = inputs.observation.new_zeros(len(inputs.memory))
        actions = nearest_legal(inputs.legal, inputs.memory[:, 0])
        return Decision(actions, certain, certain, inputs.memory[:, 1:])


@BASELINES.register("all_inside.v1")
class AllInside(Heuristic):
    """Makes the whole sentence one phrase."""

    problems: ClassVar[tuple[type[Problem], ...]] = (PhraseSegmentation, Chunking)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return `INSIDE` everywhere."""
        return torch.full_like(batch.tokens, INSIDE)


@BASELINES.register("all_end.v1")
class AllEnd(Heuristic):
    """Makes every word a phrase."""

    problems: ClassVar[tuple[type[Problem], ...]] = (PhraseSegmentation, Chunking)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return `END` everywhere."""
        return torch.full_like(batch.tokens, END)


@BASELINES.register("every_k.v1")
class EveryK(Heuristic):
    """Ends a phrase every k words; k defaults to the paper's rule without a parser, `int(sqrt(L) + 0.5)`."""

    problems: ClassVar[tuple[type[Problem], ...]] = (PhraseSegmentation, Chunking)

    def __init__(self, vocabulary: Vocabulary, k: int | None = None) -> None:
        super().__init__(vocabulary)
        if k is not None and (not isinstance(k, int | np.integer) or k < 1):
            raise HsEnvError(f"A phrase has a whole number of words from 1, got k = {k!r}.")
        self.k = k

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return `END` at every k-th word."""
        position = torch.arange(1, batch.tokens.shape[1] + 1, device=batch.tokens.device)
        k = (batch.lengths.sqrt() + 0.5).long() if self.k is None else torch.full_like(batch.lengths, self.k)
        return (position % k[:, None] == 0).long()


@BASELINES.register("spaces.v1")
class Spaces(Heuristic):
    """Ends a chunk at each space, so that a chunk is a word and the space after it."""

    problems = (Chunking,)

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._space = _Words(vocabulary, (" ",))

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return `END` at every space."""
        return self._space(batch.tokens).long()


@BASELINES.register("punctuation.v1")
class Punctuation(Heuristic):
    """Ends a phrase at each punctuation mark."""

    problems = (PhraseSegmentation,)

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._mark = _Words(vocabulary, PUNCTUATION)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return `END` at every mark."""
        return self._mark(batch.tokens).long()


@BASELINES.register("function_words.v1")
class FunctionWords(Heuristic):
    """Groups function words with the content words after them: chinks and chunks (Liberman and Church 1992)."""

    problems = (PhraseSegmentation,)

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._function = _Words(vocabulary, FUNCTION_WORDS)
        self._mark = _Words(vocabulary, PUNCTUATION)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return `END` at content words before a function word, and at every mark."""
        function, mark = self._function(batch.tokens), self._mark(batch.tokens)
        before_function = torch.zeros_like(function)
        before_function[:, :-1] = function[:, 1:] & ~function[:, :-1]
        return (before_function | mark).long()


@BASELINES.register("gold.v1")
class Gold(Heuristic):
    """Takes the gold actions of a corpus that has them: its phrases, or its trees."""

    problems: ClassVar[tuple[type[Problem], ...]] = (PhraseSegmentation, Composition)
    needs_gold = True

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return the gold actions."""
        if batch.gold_actions is None:
            name = stem_of(BASELINES.name_of(type(self)))
            raise HsEnvError(f"The baseline {name!r} needs gold actions, but this corpus has none. Choose another.")
        return batch.gold_actions


@BASELINES.register("left_branching.v1")
class LeftBranching(Heuristic):
    """Reduces once after each word, so that every word joins all words before it."""

    problems = (Composition,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return 1 everywhere; at the first word the nearest legal action is 0."""
        return torch.ones_like(batch.tokens)


@BASELINES.register("balanced.v1")
class Balanced(Heuristic):
    """Joins neighbours of equal size: a tree as balanced as two reductions per word allow."""

    problems = (Composition,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return the number of times that 2 divides the position, counted from 1, but at most 2."""
        position = torch.arange(1, batch.tokens.shape[1] + 1, device=batch.tokens.device)
        return ((position % 2 == 0).long() + (position % 4 == 0).long()).expand_as(batch.tokens)


@BASELINES.register("all_retain.v1")
class AllRetain(Heuristic):
    """Retains every word."""

    problems = (InformationDistillation,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return `RETAIN` everywhere."""
        return torch.full_like(batch.tokens, RETAIN)


@BASELINES.register("content_words.v1")
class ContentWords(Heuristic):
    """Deletes function words and punctuation marks, except negations."""

    problems = (InformationDistillation,)

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._deleted = _Words(vocabulary, (FUNCTION_WORDS | PUNCTUATION) - NEGATIONS)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return `RETAIN` at content words and negations."""
        return (~self._deleted(batch.tokens)).long()


@BASELINES.register("no_punctuation.v1")
class NoPunctuation(Heuristic):
    """Deletes punctuation marks."""

    problems = (InformationDistillation,)

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._mark = _Words(vocabulary, PUNCTUATION)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """Return `RETAIN` at everything except marks."""
        return (~self._mark(batch.tokens)).long()


@BASELINES.register("random.v1")
class Random(Baseline):
    """Acts at random: uniformly, or with probability p for the last of two actions."""

    problems = (Problem,)
    observes = False

    def __init__(self, vocabulary: Vocabulary, p: float = 0.5) -> None:
        super().__init__(vocabulary)
        try:
            possible = 0 < p < 1
        except TypeError:
            possible = False
        if not possible:
            raise HsEnvError(f"The probability p of the last action must be between 0 and 1, got {p!r}.")
        self.p = p

    def act(self, inputs: PolicyInput) -> Decision:
        """Sample an action, even if `deterministic`, because this policy has no best action."""
        rows, k = inputs.legal.shape
        probabilities = torch.full((rows, k), 1.0, device=inputs.legal.device)
        if k == 2:
            probabilities[:, 0], probabilities[:, 1] = 1 - self.p, self.p
        choice = CategoricalChoice(probabilities.log(), inputs.legal)
        actions = choice.sample(inputs.generator)
        return Decision(actions, choice.log_prob(actions), choice.entropy(), inputs.memory)


def baselines_for(problem: Problem, *, gold: bool = True) -> list[str]:
    """Return the names of the baselines that support `problem`; without `gold`, those that need no gold actions."""
    return [
        name for name, kind in BASELINES.items() if isinstance(problem, kind.problems) and (gold or not kind.needs_gold)
    ]


def make_baseline(name: str, vocabulary: Vocabulary, problem: Problem, **parameters: Any) -> Baseline:
    """Make the baseline policy registered as `name`.

    Raises:
        HsEnvError: If the name is unknown, the baseline is for another problem (the message lists suitable ones), or a
            parameter is unknown or not valid.
    """
    kind = BASELINES.get(name)
    if not isinstance(problem, kind.problems):
        others = " and ".join(other.title for other in kind.problems)
        raise HsEnvError(
            f"The baseline {name!r} is for {others}, not for {problem.title}. Choose one of: "
            f"{', '.join(stem_of(each) for each in baselines_for(problem))}."
        )
    known = dict(list(inspect.signature(kind).parameters.items())[1:])
    takes_any = any(each.kind is each.VAR_KEYWORD for each in known.values())
    for parameter in parameters:
        if parameter not in known and not takes_any:
            raise unknown_name(f"parameter of the baseline {name!r}", parameter, known)
    return kind(vocabulary, **parameters)


class _Words:
    """Tells which tokens are, in lower case, one of `words`."""

    def __init__(self, vocabulary: Vocabulary, words: Iterable[str]) -> None:
        chosen = frozenset(words)
        self._member = torch.tensor([word.lower() in chosen for word in vocabulary.words], device=CPU)

    def __call__(self, tokens: Tensor) -> Tensor:
        self._member = self._member.to(tokens.device)  # once
        return self._member[tokens]
