"""Generate `propositions`: the logical relation of two propositional formulas, after Bowman, Manning and Potts (2015).

    ( a and ( not b ) ) ~ ( b or a )      forward

A formula is one of the variables a to f, or `( not F )`, `( F and F )` or `( F or F )`. The class is the relation of
the formula before `~` to the one after it: `equal`; `forward`, if the first entails the second, and `reverse`;
`negation`; `alternation`, if they exclude each other; `cover`, if one of them is always true; and `independent`. A pair
has the first relation of this list that it fulfils. Formulas that are always true, or never, are left out.

A pair uses up to four variables. The number of operators of each formula is drawn uniformly. The classes are not
equally frequent: about one pair in four is `independent`, one in ten a `cover`.

The gold tree branches to the left within brackets: `((((( a) and) b) ))`. `~` joins the first formula, and the second
formula joins both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from hs_env.corpora.corpus import Corpus, register_corpus
from hs_env.corpora.generated import Draw, composition_corpus
from hs_env.errors import check_ranges
from hs_env.types import TREE_CAPACITY, Sentence

RELATIONS: Final = ("equal", "forward", "reverse", "negation", "alternation", "cover", "independent")
VARIABLES: Final = "abcdef"

_ROWS: Final = 2 ** len(VARIABLES)  # of a truth table
_TRUE: Final = 2**_ROWS - 1
_TABLES: Final = tuple(sum(1 << row for row in range(_ROWS) if row >> each & 1) for each in range(len(VARIABLES)))
"""Truth table of each variable: bit `row` is its value in that row."""

_MOST_VARIABLES: Final = 4  # of a pair


@dataclass(frozen=True, slots=True)
class _Settings:
    """Smallest and largest number of operators of the larger formula of a pair."""

    fewest: int
    operators: int

    def __post_init__(self) -> None:
        check_ranges(self, operators=(max(self.fewest, 1), TREE_CAPACITY - 2))


def relation(first: int, second: int) -> str:
    """Return the relation of two formulas, given as truth tables."""
    if first == second:
        return "equal"
    if first == _TRUE ^ second:
        return "negation"
    if not first & ~second:
        return "forward"
    if not second & ~first:
        return "reverse"
    if not first & second:
        return "alternation"
    return "cover" if first | second == _TRUE else "independent"


def gold_actions(words: Sequence[str]) -> tuple[int, ...]:
    """Return the number of constituents of the gold tree that end at each word of a pair."""
    nested, joined, actions = 0, False, []
    for word in words:
        if word == "(":
            actions.append(0)
            nested += 1
        elif word == "~":
            actions.append(1)
            joined = True
        else:
            nested -= word == ")"
            actions.append((word == ")") + (nested > 0 or joined))
    return tuple(actions)


def _formula(draw: Draw, operators: int, variables: Sequence[int], words: list[str]) -> int:
    """Draw a formula, append its words, and return its truth table."""
    if not operators:
        variable = variables[int(draw() * len(variables))]
        words.append(VARIABLES[variable])
        return _TABLES[variable]
    words.append("(")
    connective = ("not", "and", "or")[int(draw() * 3)]
    before = 0 if connective == "not" else int(draw() * operators)
    table = _TRUE if connective == "not" else _formula(draw, before, variables, words)
    words.append(connective)
    other = _formula(draw, operators - 1 - before, variables, words)
    words.append(")")
    return {"not": table ^ other, "and": table & other, "or": table | other}[connective]


def _pair(draw: Draw, settings: _Settings) -> Sentence | None:
    """Draw a pair of formulas, or None if it is not a wanted one."""
    sizes = [int(draw() * (settings.operators + 1)) for _ in range(2)]
    if max(sizes) < settings.fewest:
        return None
    variables = [int(draw() * len(VARIABLES)) for _ in range(1 + int(draw() * _MOST_VARIABLES))]
    words: list[str] = []
    first = _formula(draw, sizes[0], variables, words)
    words.append("~")
    second = _formula(draw, sizes[1], variables, words)
    if {first, second} & {0, _TRUE}:
        return None
    return Sentence(tuple(words), RELATIONS.index(relation(first, second)), gold_actions(words))


def _generate(name: str, seed: int, sizes: tuple[int, ...], settings: tuple[_Settings, ...]) -> Corpus:
    """Generate a corpus from the sizes and the settings of train, dev and test.

    Raises:
        HsEnvError: If a number is out of range, or there are too few distinct pairs.
    """
    kinds = [(partial(_pair, settings=each), f"{each.fewest} to {each.operators} operators") for each in settings]
    return composition_corpus(name, RELATIONS, "Bowman, Manning and Potts 2015", seed, sizes, kinds)


@register_corpus("propositions.v1")
def propositions(
    *, seed: int = 0, train: int = 50_000, dev: int = 1000, test: int = 2000, operators: int = 4
) -> Corpus:
    """Generate `propositions`: logical relations of two formulas of up to 4 operators each.

    Args:
        seed: Seed of all pairs.
        train: Number of training pairs.
        dev: Number of dev pairs.
        test: Number of test pairs.
        operators: Largest number of operators of a formula.

    Raises:
        HsEnvError: If a number is out of range, or there are too few distinct pairs.
    """
    return _generate("propositions", seed, (train, dev, test), (_Settings(0, operators),) * 3)


@register_corpus("propositions_long.v1")
def propositions_long(
    *, seed: int = 0, train: int = 50_000, dev: int = 1000, test: int = 2000, test_operators: int = 8
) -> Corpus:
    """Generate `propositions_long`: train and dev of `propositions`; the larger test formula has 5 to 8 operators."""
    usual = _Settings(0, 4)
    return _generate("propositions_long", seed, (train, dev, test), (usual, usual, _Settings(5, test_operators)))
