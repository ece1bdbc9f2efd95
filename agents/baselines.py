"""Policies that learn nothing, for each decision problem: what a trained P-Net has to beat."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor

from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.problems.distillation import RETAIN, InformationDistillation
from hs_env.problems.problem import Problem, nearest_legal
from hs_env.problems.segmentation import END, INSIDE, PhraseSegmentation
from hs_env.registry import Registry
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
"""Words that turn the meaning of others round, which no one may leave out."""

PUNCTUATION = frozenset(". , ; : ! ? ... -- - ( ) [ ] \" ' ` `` '' – —".split())


class Baseline(Agent):
    """A policy that learns nothing, made for sentences over a vocabulary.

    Attributes:
        problems: Classes of the decision problems that it decides.
    """

    problems: ClassVar[tuple[type[Problem], ...]]

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary


BASELINES: Registry[type[Baseline]] = Registry("baseline", group="hs_env.baselines")
"""Baseline policies by versioned name; each is built from a vocabulary, which tells word classes apart."""


class Heuristic(Baseline):
    """A policy that plans the whole sentence before it is read."""

    @abstractmethod
    def plan(self, batch: SentenceBatch) -> Tensor:
        """(B, T) int64 actions that are wanted, any values after the last word; the encoder decides which are legal."""

    def begin(self, batch: SentenceBatch, samples: int = 1) -> Tensor:
        """The plan: the memory of a row is what is still to do."""
        return self.plan(batch).repeat_interleave(samples, 0)

    def act(self, inputs: PolicyInput) -> Decision:
        """The next planned action, or the legal one nearest to it, with probability 1."""
        certain = inputs.observation.new_zeros(len(inputs.memory))
        actions = nearest_legal(inputs.legal, inputs.memory[:, 0])
        return Decision(actions, certain, certain, inputs.memory[:, 1:])


@BASELINES.register("all_inside.v1")
class AllInside(Heuristic):
    """The whole sentence is one phrase."""

    problems = (PhraseSegmentation,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`INSIDE` everywhere."""
        return torch.full_like(batch.tokens, INSIDE)


@BASELINES.register("all_end.v1")
class AllEnd(Heuristic):
    """Every word is a phrase."""

    problems = (PhraseSegmentation,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`END` everywhere."""
        return torch.full_like(batch.tokens, END)


@BASELINES.register("every_k.v1")
class EveryK(Heuristic):
    """A phrase every k words; without k the paper's `int(sqrt(L) + 0.5)`, its rule where there is no parser."""

    problems = (PhraseSegmentation,)

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

    problems = (PhraseSegmentation,)

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._mark = _membership(vocabulary, PUNCTUATION)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`END` on every mark."""
        return self._mark[batch.tokens].long()


@BASELINES.register("function_words.v1")
class FunctionWords(Heuristic):
    """Chinks and chunks (Liberman and Church 1992): a phrase is function words, then content words."""

    problems = (PhraseSegmentation,)

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

    problems = (PhraseSegmentation,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """The gold boundaries."""
        if batch.gold_actions is None:
            raise HsEnvError("The baseline 'gold' needs gold phrases, and this corpus has none. Leave it out.")
        return batch.gold_actions


@BASELINES.register("all_retain.v1")
class AllRetain(Heuristic):
    """The plain sentence: every word is retained."""

    problems = (InformationDistillation,)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`RETAIN` everywhere."""
        return torch.full_like(batch.tokens, RETAIN)


@BASELINES.register("content_words.v1")
class ContentWords(Heuristic):
    """Function words and punctuation marks are deleted, but no negation."""

    problems = (InformationDistillation,)

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._deleted = _membership(vocabulary, (FUNCTION_WORDS | PUNCTUATION) - NEGATIONS)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`RETAIN` on content words and negations."""
        return (~self._deleted[batch.tokens]).long()


@BASELINES.register("no_punctuation.v1")
class NoPunctuation(Heuristic):
    """Punctuation marks are deleted."""

    problems = (InformationDistillation,)

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._mark = _membership(vocabulary, PUNCTUATION)

    def plan(self, batch: SentenceBatch) -> Tensor:
        """`RETAIN` on everything but marks."""
        return (~self._mark[batch.tokens]).long()


@BASELINES.register("random.v1")
class Random(Baseline):
    """Every legal action is equally probable; of two actions, the last one has probability p."""

    problems = (Problem,)

    def __init__(self, vocabulary: Vocabulary, p: float = 0.5) -> None:
        super().__init__(vocabulary)
        if not 0 < p < 1:
            raise HsEnvError(f"The probability of the last action must lie between 0 and 1, got {p}.")
        self.p = p

    def act(self, inputs: PolicyInput) -> Decision:
        """A random action, also when `deterministic` is asked for: this policy prefers no action."""
        rows, k = inputs.legal.shape
        probabilities = torch.full((rows, k), 1.0, device=inputs.legal.device)
        if k == 2:
            probabilities[:, 0], probabilities[:, 1] = 1 - self.p, self.p
        choice = CategoricalChoice(probabilities.log(), inputs.legal)
        actions = choice.sample(inputs.generator)
        return Decision(actions, choice.log_prob(actions), choice.entropy(), inputs.memory)


def baselines_for(problem: Problem) -> list[str]:
    """The names of the baselines that decide `problem`."""
    return [name for name, kind in BASELINES.items() if isinstance(problem, kind.problems)]


def make_baseline(name: str, vocabulary: Vocabulary, problem: Problem, **parameters: Any) -> Baseline:
    """The baseline policy registered as `name`, for sentences over `vocabulary`.

    Raises:
        HsEnvError: If there is none of that name, or it is for another problem; the message names those that fit.
    """
    kind = BASELINES.get(name)
    if not isinstance(problem, kind.problems):
        others = " and ".join(other.title for other in kind.problems)
        raise HsEnvError(
            f"The baseline {name!r} is for {others}, not for {problem.title}. Choose one of: "
            f"{', '.join(each.rpartition('.')[0] for each in baselines_for(problem))}."
        )
    return kind(vocabulary, **parameters)


def _membership(vocabulary: Vocabulary, words: Iterable[str]) -> Tensor:
    """(V,) bool: which tokens are among `words`, in lower case."""
    chosen = frozenset(words)
    return torch.tensor([word.lower() in chosen for word in vocabulary.words])
