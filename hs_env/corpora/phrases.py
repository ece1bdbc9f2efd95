"""Generate `phrases`, a corpus of any size whose labels depend on where phrases end. An accuracy of 100 % is possible.

    the plot | was hardly ever dull | and really very funny      positive
    although | the cast | is brilliant | , | its ending | was not good      negative

A sentence has one or two clauses, whose phrases follow this grammar (`[...]` is optional):

    sentence     clause  |  clause but clause  |  although clause , clause  |  clause although clause
    clause       subject [filler] predicate [conjunct] [manner] [filler]
    subject      determiner [[negator] [degree] adjective | neutral adjective] noun      this hardly clever script
    predicate    copula ([negator] [degree [degree]] | negator ever [degree]) adjective      was hardly ever dull
    conjunct     and [negator] [degree] adjective      and not funny
    manner       with [no] [much | some] quality, without [much | some] quality      with no charm
    filler       preposition determiner [neutral adjective] noun, or one adverb      in the second half, overall

`but`, `although`, `,` and the adverbs are phrases of one word. Each sentence has a value, and the label is its sign:

* The value is the sum over adjectives and qualities. Each is worth 1 or 2, positive or negative (`WEIGHTS`).
* A negator flips the sign of all later words of its phrase; a degree doubles or halves them. **Neither affects another
  phrase**: `was not good | and funny` is 0, but `was not good and funny` as one phrase is -2.
* `but` cancels the clause before it, and `although` cancels the clause after it.
* The generator drops sentences of value 0, and those with fewer than 5 or more than 20 words.

So the label depends on where phrases end, not only on which words occur: `was not great | and funny` is negative, but
`was great | and not funny` is positive. The gold phrases can be found from left to right: a longer phrase ends at its
noun or quality, or at its adjective if it begins with a copula or `and`.

Sentence `i` of a split depends only on the seed, the split and `i`, so a larger corpus begins with the smaller one.
The labels are balanced: sentences 2k and 2k + 1 have different labels, in random order. If a sentence has the wrong
label, the generator replaces all its adjectives and qualities by their opposites.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final, TypeVar

import numpy as np

from hs_env.corpora.corpus import SPLITS, Corpus, register_corpus
from hs_env.corpora.generated import check_sizes
from hs_env.corpora.published import POLARITY
from hs_env.types import END, INSIDE, Sentence

# Pairs of a positive word and its negative opposite.
MILD_ADJECTIVES: Final = (
    ("good", "bad"), ("funny", "tedious"), ("fresh", "stale"), ("clever", "silly"), ("warm", "cold"),
    ("smart", "clumsy"), ("lively", "dull"), ("honest", "fake"),
)  # fmt: skip
STRONG_ADJECTIVES: Final = (
    ("great", "awful"), ("brilliant", "terrible"), ("superb", "dreadful"), ("gripping", "boring"),
)  # fmt: skip
MILD_QUALITIES: Final = (("charm", "clutter"), ("wit", "noise"), ("grace", "gloom"))
STRONG_QUALITIES: Final = (("joy", "misery"), ("magic", "nonsense"))

NEGATORS: Final = frozenset({"not", "never", "hardly", "scarcely", "no", "without"})
DEGREES: Final = {
    **dict.fromkeys(("very", "really", "truly", "utterly", "much"), 2.0),
    **dict.fromkeys(("rather", "slightly", "somewhat", "fairly", "some"), 0.5),
}
DETERMINERS: Final = ("the", "this", "its", "that", "their")
COPULAS: Final = ("is", "was", "seems", "feels", "looks", "remains")
NOUNS: Final = (
    "movie", "film", "plot", "story", "cast", "script", "acting", "dialogue", "music", "ending", "director", "camera",
    "pacing", "hero", "villain", "setting", "premise", "sequel", "drama", "comedy",
)  # fmt: skip
FILLER_NOUNS: Final = ("half", "scene", "hour", "act", "evening", "weekend", "audience", "screen", "budget", "reel")
NEUTRAL_ADJECTIVES: Final = ("first", "second", "last", "whole", "new", "long", "short", "main", "final", "early")
PREPOSITIONS: Final = ("in", "for", "at", "on", "during", "after", "before")
ADVERBS: Final = ("overall", "again", "now", "today")

_ADJECTIVES: Final = MILD_ADJECTIVES + STRONG_ADJECTIVES
_QUALITIES: Final = MILD_QUALITIES + STRONG_QUALITIES
_NEGATING_ADVERBS: Final = ("not", "never", "hardly", "scarcely")
_DEGREE_ADVERBS: Final = tuple(word for word in DEGREES if word not in ("much", "some"))
OPPOSITE: Final = {word: pair[1 - at] for pair in _ADJECTIVES + _QUALITIES for at, word in enumerate(pair)}

WEIGHTS: Final = {
    word: sign * size
    for pairs, size in ((MILD_ADJECTIVES + MILD_QUALITIES, 1.0), (STRONG_ADJECTIVES + STRONG_QUALITIES, 2.0))
    for pair in pairs
    for word, sign in zip(pair, (1.0, -1.0), strict=True)
}
"""Value of each adjective and quality: 1 or 2, positive or negative."""

_NEGATED: Final = 0.3  # probability of a negator
_LENGTHS: Final = range(5, 21)  # words per sentence
_BLOCK: Final = 64  # random numbers per call of the generator
_T = TypeVar("_T")
_Phrases = list[list[str]]


def compose(words: Sequence[str], boundaries: Sequence[int]) -> float:
    """Compute the value of a sentence under a segmentation: above 0 if positive, below 0 if negative.

    Words after the last `END` do not count.

    Raises:
        ValueError: If there is not one action per word.
    """
    total, overruled = 0.0, False
    phrase: list[str] = []
    for word, boundary in zip(words, boundaries, strict=True):
        phrase.append(word)
        if boundary == INSIDE:
            continue
        if phrase == ["but"]:
            total = 0.0
        elif phrase in (["although"], [","]):
            overruled = phrase == ["although"]
        elif not overruled:
            total += phrase_value(phrase)
        phrase = []
    return total


def phrase_value(phrase: Sequence[str]) -> float:
    """Compute the value of the words of one phrase."""
    value, factor = 0.0, 1.0
    for word in phrase:
        if word in NEGATORS:
            factor = -factor
        factor *= DEGREES.get(word, 1.0)
        value += factor * WEIGHTS.get(word, 0.0)
    return value


class Draws:
    """Makes random choices. It draws numbers in blocks, which is many times faster than one by one."""

    def __init__(self, *key: int) -> None:
        self._generator = np.random.default_rng(np.random.SeedSequence(key))
        self._numbers = self._uniform()

    def _uniform(self) -> Iterator[float]:
        while True:
            yield from self._generator.random(_BLOCK).tolist()

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return next(self._numbers) < probability

    def pick(self, options: Sequence[_T]) -> _T:
        """Return one of some options, each with the same probability."""
        return options[int(next(self._numbers) * len(options))]

    def perhaps(self, probability: float, options: Sequence[str]) -> list[str]:
        """Return one of some words with a probability, otherwise no word."""
        return [self.pick(options)] if self.chance(probability) else []


def _subject(draw: Draws) -> list[str]:
    if draw.chance(0.25):
        modifiers = draw.perhaps(0.4, ("never", "hardly", "scarcely")) + draw.perhaps(0.3, _DEGREE_ADVERBS)
        described = [*modifiers, draw.pick(draw.pick(_ADJECTIVES))]
    else:
        described = draw.perhaps(0.3, NEUTRAL_ADJECTIVES)
    return [draw.pick(DETERMINERS), *described, draw.pick(NOUNS)]


def predicate(draw: Draws) -> list[str]:
    """Draw a predicate: a copula, perhaps with a negator or degrees, and an adjective."""
    negator = draw.perhaps(_NEGATED, _NEGATING_ADVERBS)
    if negator in (["hardly"], ["scarcely"]):
        negator += draw.perhaps(0.4, ("ever",))
    degree = draw.perhaps(0.55, _DEGREE_ADVERBS)
    if degree == ["really"] and negator[1:] != ["ever"]:
        degree += draw.perhaps(0.5, ("very",))
    return [draw.pick(COPULAS), *negator, *degree, draw.pick(draw.pick(_ADJECTIVES))]


def _conjunct(draw: Draws) -> list[str]:
    modifiers = draw.perhaps(_NEGATED, _NEGATING_ADVERBS) + draw.perhaps(0.4, _DEGREE_ADVERBS)
    return ["and", *modifiers, draw.pick(draw.pick(_ADJECTIVES))]


def _manner(draw: Draws) -> list[str]:
    opening = ["with", "no"] if draw.chance(0.15) else ["without"] if draw.chance(0.2) else ["with"]
    return [*opening, *draw.perhaps(0.5, ("much", "some")), draw.pick(draw.pick(_QUALITIES))]


def _filler(draw: Draws) -> list[str]:
    if draw.chance(0.25):
        return [draw.pick(ADVERBS)]
    adjective = draw.perhaps(0.6, NEUTRAL_ADJECTIVES)
    return [draw.pick(PREPOSITIONS), draw.pick(DETERMINERS), *adjective, draw.pick(FILLER_NOUNS)]


def _clause(draw: Draws, scale: float) -> _Phrases:
    """Draw the phrases of a clause. `scale` multiplies the probability of every optional phrase."""

    def perhaps(probability: float, phrase: Callable[[Draws], list[str]]) -> _Phrases:
        return [phrase(draw)] if draw.chance(scale * probability) else []

    clause = [_subject(draw), *perhaps(0.15, _filler), predicate(draw)]
    return [*clause, *perhaps(0.6, _conjunct), *perhaps(0.35, _manner), *perhaps(0.3, _filler)]


def _sentence_phrases(draw: Draws) -> _Phrases:
    if draw.chance(0.55):
        return _clause(draw, 1.0)
    first, second = _clause(draw, 0.5), _clause(draw, 0.5)
    order = draw.pick(("but", "although first", "although second"))
    if order == "but":
        return [*first, ["but"], *second]
    if order == "although first":
        return [["although"], *first, [","], *second]
    return [*first, ["although"], *second]


def phrase_sentence(seed: int, split: str, index: int) -> Sentence:
    """Generate the sentence at position `index` of a split, with its label and gold phrases.

    Raises:
        ValueError: If there is no such split, or a number is negative.
    """
    part = SPLITS.index(split)
    label = (index + int(Draws(seed, part, index // 2, 1).chance(0.5))) % 2
    draw = Draws(seed, part, index)
    while True:
        phrases = _sentence_phrases(draw)
        words = [word for phrase in phrases for word in phrase]
        boundaries = [action for phrase in phrases for action in [INSIDE] * (len(phrase) - 1) + [END]]
        value = compose(words, boundaries)
        if value and len(words) in _LENGTHS:
            break
    if (value > 0) != bool(label):
        words = [OPPOSITE.get(word, word) for word in words]
    return Sentence(tuple(words), label, tuple(boundaries))


@lru_cache(maxsize=6)  # a run and its comparison read two corpora of three splits
def _sentences(seed: int, split: str, size: int) -> tuple[Sentence, ...]:
    return tuple(phrase_sentence(seed, split, index) for index in range(size))


@register_corpus("phrases.v1")
def phrases(*, seed: int = 0, train: int = 4000, dev: int = 500, test: int = 1000) -> Corpus:
    """Generate `phrases`: sentences of any number, whose labels depend on where phrases end.

    Raises:
        HsEnvError: If the seed or a size is negative, `train` is 0, or a size is above `LARGEST_SPLIT`.
    """
    sizes = (train, dev, test)
    check_sizes("phrases", seed, sizes)
    splits = {split: _sentences(seed, split, size) for split, size in zip(SPLITS, sizes, strict=True)}
    # `glove` does not change these lower-case words, but it makes sentences that a user types look like them.
    return Corpus("phrases", POLARITY, splits, "glove", best_accuracy=1.0, source="generated; no licence needed")
