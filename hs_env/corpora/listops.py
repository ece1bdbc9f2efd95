"""Generate `listops` (Nangia and Bowman, NAACL SRW 2018): nested operations on digits, whose value is the class.

    [MAX 2 9 [MIN 4 7 ] 0 ]      9

Operators are MAX, MIN, MED (the median, rounded down) and SM (the sum modulo the number of digits). An expression is an
operator with 2 to `arguments` arguments. Each argument is again such an expression with probability 0.25, if operators
are nested less than `depth` times there, and otherwise a digit.

The gold tree branches to the left within an operator: `((([MAX 2) 9) ])`. So the gold action is 0 after an operator, 1
after a digit, 2 after an inner `]` and 1 after the last one: a `]` completes its expression, which then joins the one
around it.

`composition_corpus` says how expressions are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from hs_env.corpora.corpus import Corpus, register_corpus
from hs_env.corpora.generated import Draw, composition_corpus
from hs_env.errors import HsEnvError, check_ranges
from hs_env.types import TREE_CAPACITY, Sentence

OPERATORS: Final = ("[MAX", "[MIN", "[MED", "[SM")
CLOSE: Final = "]"
DIGITS: Final = tuple("0123456789")

_NESTED: Final = 0.25  # probability that an argument is an expression
_SHORTEST: Final = 4  # words of an operator with two digits


class _TooLongError(Exception):
    """An expression has more words than allowed."""


@dataclass(frozen=True, slots=True)
class _Settings:
    """Settings of a generated split.

    Attributes:
        depth: Largest number of nested operators.
        shortest: Smallest number of words.
        longest: Largest number of words.
        arguments: Largest number of arguments of an operator.
        digits: Number of digits, from 0.
    """

    depth: int
    shortest: int
    longest: int
    arguments: int
    digits: int

    def __post_init__(self) -> None:
        check_ranges(
            self,
            depth=(1, TREE_CAPACITY),
            longest=(_SHORTEST, 1e6),
            shortest=(1, self.longest),
            arguments=(2, 1000),
            digits=(2, 10),
        )


_USUAL: Final = _Settings(depth=6, shortest=_SHORTEST, longest=100, arguments=5, digits=10)
_TESTED: Final = replace(_USUAL, shortest=20)


def value_of(operator: str, values: list[int], digits: int = 10) -> int:
    """Return the value of an operator applied to values below `digits`."""
    if operator == "[MAX":
        return max(values)
    if operator == "[MIN":
        return min(values)
    if operator == "[SM":
        return sum(values) % digits
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) // 2


def gold_actions(words: Sequence[str]) -> tuple[int, ...]:
    """Return the number of constituents of the gold tree that end at each word of an expression."""
    nested, actions = 0, []
    for word in words:
        nested += (word in OPERATORS) - (word == CLOSE)
        actions.append(0 if word in OPERATORS else 1 + (nested > 0) if word == CLOSE else int(nested > 0))
    return tuple(actions)


def _draw(draw: Draw, depth: int, settings: _Settings, words: list[str]) -> int:
    """Draw an expression, append its words, and return its value.

    Raises:
        _TooLongError: If it has too many words.
    """
    operator = OPERATORS[int(draw() * len(OPERATORS))]
    words.append(operator)
    values = []
    for _ in range(2 + int(draw() * (settings.arguments - 1))):
        if depth < settings.depth and draw() < _NESTED:
            values.append(_draw(draw, depth + 1, settings, words))
        else:
            digit = int(draw() * settings.digits)
            values.append(digit)
            words.append(DIGITS[digit])
    words.append(CLOSE)
    if len(words) > settings.longest:
        raise _TooLongError
    return value_of(operator, values, settings.digits)


def _expression(draw: Draw, settings: _Settings) -> Sentence | None:
    """Draw an expression, or None if its length does not fit."""
    words: list[str] = []
    try:
        value = _draw(draw, 1, settings, words)
    except _TooLongError:
        return None
    return Sentence(tuple(words), value, gold_actions(words)) if len(words) >= settings.shortest else None


def _generate(name: str, seed: int, sizes: tuple[int, ...], settings: tuple[_Settings, ...]) -> Corpus:
    """Generate a corpus from the sizes and the settings of train, dev and test.

    Raises:
        HsEnvError: If a number is out of range, or there are too few distinct expressions.
    """
    kinds = [(partial(_expression, settings=each), f"{each.shortest} to {each.longest} words") for each in settings]
    return composition_corpus(name, DIGITS[: settings[0].digits], "Nangia and Bowman 2018", seed, sizes, kinds)


@register_corpus("listops.v1")
def listops(
    *,
    seed: int = 0,
    train: int = 100_000,
    dev: int = 1000,
    test: int = 2000,
    depth: int = _USUAL.depth,
    shortest: int = _USUAL.shortest,
    longest: int = _USUAL.longest,
    arguments: int = _USUAL.arguments,
    digits: int = _USUAL.digits,
    test_shortest: int = _TESTED.shortest,
) -> Corpus:
    """Generate `listops`: expressions of 4 to 100 words, nested 6 times at most; in dev and test of 20 to 100 words.

    Args:
        seed: Seed of all expressions.
        train: Number of training expressions.
        dev: Number of dev expressions.
        test: Number of test expressions.
        depth: Largest number of nested operators.
        shortest: Smallest number of words in train.
        longest: Largest number of words.
        arguments: Largest number of arguments of an operator.
        digits: Number of digits, from 0, which is the number of classes.
        test_shortest: Smallest number of words in dev and test.

    Raises:
        HsEnvError: If a number is out of range, or there are too few distinct expressions.
    """
    usual = _Settings(depth, shortest, longest, arguments, digits)
    if test_shortest > longest:
        raise HsEnvError(f"listops: test_shortest must be at most longest, {longest}, got {test_shortest}.")
    tested = replace(usual, shortest=test_shortest)
    return _generate("listops", seed, (train, dev, test), (usual, tested, tested))


@register_corpus("listops_short.v1")
def listops_short(
    *, seed: int = 0, train: int = 10_000, dev: int = 500, test: int = 1000, depth: int = 3, longest: int = 30
) -> Corpus:
    """Generate `listops_short`: `listops` of 4 to 30 words, nested 3 times at most, in all splits."""
    settings = _Settings(depth, _SHORTEST, longest, _USUAL.arguments, _USUAL.digits)
    return _generate("listops_short", seed, (train, dev, test), (settings,) * 3)


@register_corpus("listops_long.v1")
def listops_long(
    *,
    seed: int = 0,
    train: int = 100_000,
    dev: int = 1000,
    test: int = 1000,
    test_depth: int = 20,
    test_shortest: int = 200,
    test_longest: int = 300,
) -> Corpus:
    """Generate `listops_long`: train and dev of `listops`; test expressions have 200 to 300 words, nested 20 times."""
    tested = replace(_USUAL, depth=test_depth, shortest=test_shortest, longest=test_longest)
    return _generate("listops_long", seed, (train, dev, test), (_USUAL, _TESTED, tested))


@register_corpus("listops_args.v1")
def listops_args(
    *, seed: int = 0, train: int = 100_000, dev: int = 1000, test: int = 1000, test_arguments: int = 10
) -> Corpus:
    """Generate `listops_args`: train and dev of `listops`; in test, operators have up to `test_arguments`, not 5.

    Raises:
        HsEnvError: If a number is out of range, or there are too few distinct expressions.
    """
    tested = replace(_TESTED, arguments=test_arguments)
    return _generate("listops_args", seed, (train, dev, test), (_USUAL, _TESTED, tested))
