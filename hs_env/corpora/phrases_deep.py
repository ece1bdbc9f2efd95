"""Generate `phrases_deep`, a corpus whose test sentences compose phrases more deeply than any training sentence.

    is not very good | far from it | seems dull | and then some      negative
    was superb | feels fresh | not a little | but | is rather clever      positive

A sentence is a sequence of phrases, each of which changes the value of what was said before:

    phrase       words                                                        module      value
    predicate    as in `phrases`: is good, was hardly ever dull, ...          ASSERT      v + value of the predicate
    denial       far from it, not in the least, which nobody believes, ...    NEGATE      -v
    emphasis     and then some, not a little, in every respect, ...           SCALE       2 v
    hedge        more or less, up to a point, at least a little, ...          SCALE       v / 2
    contrast     but, still, yet, however                                     CONTRAST    0

The label is the class of the value of the whole sentence: very negative (v <= -3), negative, positive, very positive
(v >= 3). The order of phrases matters: `A | far from it | B` is B - A, but `A | B | far from it` is -A - B. Most words
of denials, emphases and hedges occur in several kinds (`not in the least`, `not a little`, `is not good`), so a single
word does not tell the module. Each phrase ends where no other phrase can continue.

The depth of a sentence is its number of denials, emphases, hedges and contrasts. Sentences of "train" and "dev" have a
depth from 0 to `depth`, those of "test" from `test_depth` to `test_depth + 2`. The size of the value is at most 8 after
each phrase; at the end it is at least 3, or from 1/2 to 1. The generator drops all other sentences.

Sentence `i` of a split depends only on the seed, the knobs, the split and `i`. The labels are balanced: four
consecutive sentences from a multiple of 4 have different labels, in random order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hs_env.corpora.corpus import SPLITS, Corpus, register_corpus
from hs_env.corpora.generated import check_sizes
from hs_env.corpora.phrases import OPPOSITE, Draws, phrase_value, predicate
from hs_env.errors import HsEnvError
from hs_env.types import ASSERT, CONTRAST, INSIDE, NEGATE, SCALE, Sentence

DENIALS: Final = (
    "far from it", "not in the least", "or quite the opposite", "which nobody believes", "which is not true",
)  # fmt: skip
EMPHASES: Final = ("and then some", "not a little", "in every respect", "to say the least", "or even more")
HEDGES: Final = ("more or less", "up to a point", "at least a little", "or nearly so", "in some respect")
CONTRASTS: Final = ("but", "still", "yet", "however")
FACTORS: Final = {**dict.fromkeys(EMPHASES, 2.0), **dict.fromkeys(HEDGES, 0.5)}
"""Factor of the value for each phrase whose module is `SCALE`."""
LABELS: Final = ("very negative", "negative", "positive", "very positive")

_LARGEST: Final = 8.0
_DEPTHS: Final = 3  # number of depths in the test split
_OPERATORS: Final = ((NEGATE, DENIALS), (NEGATE, DENIALS), (SCALE, EMPHASES), (SCALE, HEDGES))
_PREDICATES: Final = range(1, 4)  # number of predicates after the contrast, if there is one
_Phrases = list[tuple[list[str], int]]


def values(words: Sequence[str], actions: Sequence[int]) -> list[float]:
    """Compute the value after each phrase of a sentence whose `actions` (see `PhraseModules`) choose the modules."""
    found, value = [], 0.0
    phrase: list[str] = []
    for word, action in zip(words, actions, strict=True):
        phrase.append(word)
        if action == INSIDE:
            continue
        if action == NEGATE:
            value = -value
        elif action == SCALE:
            value *= FACTORS.get(" ".join(phrase), 1.0)
        else:
            value = phrase_value(phrase) + (value if action == ASSERT else 0.0)
        found.append(value)
        phrase = []
    return found


def _operator(draw: Draws) -> tuple[list[str], int]:
    module, phrases = draw.pick(_OPERATORS)
    return draw.pick(phrases).split(), module


def _segment(draw: Draws, operators: int, predicates: int) -> _Phrases:
    """Draw a predicate, then the other predicates and the operators in random order."""
    phrases, left = [(predicate(draw), ASSERT)], [True] * operators + [False] * (predicates - 1)
    while left:
        operates = left.pop(draw.pick(range(len(left))))
        phrases.append(_operator(draw) if operates else (predicate(draw), ASSERT))
    return phrases


def _phrases(draw: Draws, depth: int) -> _Phrases:
    predicates = draw.pick(_PREDICATES) + depth // 3
    if not depth or draw.chance(0.75):
        return _segment(draw, depth, predicates)
    before = draw.pick(range(depth))
    contrast = ([draw.pick(CONTRASTS)], CONTRAST)
    return [*_segment(draw, before, 1), contrast, *_segment(draw, depth - 1 - before, predicates)]


def deep_sentence(seed: int, split: str, index: int, depths: range) -> Sentence:
    """Generate the sentence at position `index` of a split, with its label and gold actions; `depths` has its depth."""
    part = SPLITS.index(split)
    order, remaining = Draws(seed, part, index // 4, 1), [0, 1, 2, 3]
    for _ in range(index % 4):
        remaining.remove(order.pick(remaining))
    label = order.pick(remaining)
    draw = Draws(seed, part, index)
    while True:
        phrases = _phrases(draw, draw.pick(depths))
        words = [word for phrase, _ in phrases for word in phrase]
        actions = [action for phrase, module in phrases for action in [INSIDE] * (len(phrase) - 1) + [module]]
        sizes = [abs(value) for value in values(words, actions)]
        strong = label in (0, 3)
        if max(sizes) <= _LARGEST and (sizes[-1] >= 3 if strong else 0.5 <= sizes[-1] <= 1):
            break
    if (values(words, actions)[-1] > 0) != (label >= 2):
        words = [OPPOSITE.get(word, word) for word in words]
    return Sentence(tuple(words), label, tuple(actions))


@register_corpus("phrases_deep.v1")
def phrases_deep(
    *, seed: int = 0, train: int = 4000, dev: int = 1000, test: int = 1000, depth: int = 2, test_depth: int = 16
) -> Corpus:
    """Generate `phrases_deep`; depths of "train" and "dev" are 0 to `depth`, of "test" from `test_depth`.

    Raises:
        HsEnvError: If a number is negative, `train` is 0, a size is above `LARGEST_SPLIT`, or a depth is above 20.
    """
    sizes = (train, dev, test)
    check_sizes("phrases_deep", seed, sizes)
    if not 0 <= min(depth, test_depth) <= max(depth, test_depth) <= 20:
        raise HsEnvError(f"phrases_deep: expected depths from 0 to 20, got {depth=}, {test_depth=}.")
    shallow, deep = range(depth + 1), range(test_depth, test_depth + _DEPTHS)
    splits = {
        split: tuple(deep_sentence(seed, split, at, deep if split == "test" else shallow) for at in range(size))
        for split, size in zip(SPLITS, sizes, strict=True)
    }
    source = "generated; no licence needed"
    return Corpus("phrases_deep", LABELS, splits, "glove", 1.0, source, problem="phrase_modules")
