"""Propositions: relations and trees against a parser and truth tables of their own, settings, splits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest

from hs_env.corpora import Corpus, load_corpus
from hs_env.corpora.propositions import RELATIONS, VARIABLES
from hs_env.errors import HsEnvError
from hs_env.problems.composition import COMPOSITION
from hs_env.types import Sentence

SMALL = "train=300,dev=40,test=60"
FULFILLED = {
    "equal": lambda rows: all(a == b for a, b in rows),
    "forward": lambda rows: all(b or not a for a, b in rows),
    "reverse": lambda rows: all(a or not b for a, b in rows),
    "negation": lambda rows: all(a != b for a, b in rows),
    "alternation": lambda rows: not any(a and b for a, b in rows),
    "cover": lambda rows: all(a or b for a, b in rows),
}


def sentences(corpus: Corpus) -> list[Sentence]:
    return [sentence for split in corpus.splits.values() for sentence in split]


def formulas(words: Sequence[str]) -> tuple[str, str]:
    first, second = " ".join(words).split(" ~ ")
    return first, second


def relation(words: Sequence[str]) -> str:
    """The relation of two formulas, which `eval` computes for every assignment."""
    codes = [compile(formula, "", "eval") for formula in formulas(words)]
    rows = []
    for values in product((False, True), repeat=len(VARIABLES)):
        assignment = dict(zip(VARIABLES, values, strict=True))
        rows.append(tuple(eval(code, {}, assignment) for code in codes))
    assert all(len(set(column)) == 2 for column in zip(*rows, strict=True)), "a formula is always true, or never"
    found = [name for name, fulfilled in FULFILLED.items() if fulfilled(rows)]
    if {"equal", "negation"} & {*found}:
        found = [name for name in found if name in ("equal", "negation")]
    assert len(found) < 2
    return found[0] if found else "independent"


def tree_of(words: Sequence[str]) -> str:
    """The gold tree with brackets, made recursively."""

    def read(at: int) -> tuple[str, int]:
        if words[at] != "(":
            return words[at], at + 1
        text, at = words[at], at + 1
        while words[at] != ")":
            part, at = read(at)
            text = f"({text} {part})"
        return f"({text} ))", at + 1

    first, at = read(0)
    second, end = read(at + 1)
    assert end == len(words)
    return f"(({first} ~) {second})"


@pytest.mark.parametrize("name", ["propositions", "propositions_long"])
def test_relations_and_trees(name: str) -> None:
    corpus = load_corpus(f"{name}:{SMALL}")
    for sentence in sentences(corpus):
        assert sentence.gold_actions is not None
        assert corpus.labels[sentence.label] == relation(sentence.words)
        assert COMPOSITION.describe(sentence.words, sentence.gold_actions)["tree"] == tree_of(sentence.words)
    assert corpus.labels == RELATIONS == (*FULFILLED, "independent")
    assert {sentence.label for sentence in sentences(corpus)} == set(range(7))
    assert {word for sentence in sentences(corpus) for word in sentence.words} == {
        *"()~",
        "not",
        "and",
        "or",
        *VARIABLES,
    }


def test_the_larger_formula_of_a_long_pair_has_more_operators() -> None:
    usual, long = (load_corpus(f"{name}:{SMALL}") for name in ("propositions", "propositions_long"))
    assert long.splits["train"] == usual.splits["train"]
    assert long.splits["dev"] == usual.splits["dev"]
    for corpus, fewest, most in ((usual, 0, 4), (long, 5, 8)):
        counts = [max(each.count("(") for each in formulas(one.words)) for one in corpus.splits["test"]]
        assert (min(counts), max(counts)) == (fewest, most)


def test_splits_share_no_pair_and_larger_corpora_begin_with_smaller_ones() -> None:
    one, more, other = (
        load_corpus(f"propositions:train={n},dev=30,test=30,operators=1,seed={s}")
        for n, s in ((50, 0), (80, 0), (50, 1))
    )
    assert more.splits["train"][:50] == one.splits["train"]
    assert other.splits["train"] != one.splits["train"]
    words = {split: {each.words for corpus in (more, other) for each in corpus.splits[split]} for split in more.splits}
    assert len({each.words for each in more.splits["train"]}) == 80
    assert not words["train"] & words["dev"]
    assert not words["test"] & (words["train"] | words["dev"])


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("operators=0", "operators must be a whole number from 1 to"),
        ("operators=40", "operators must be a whole number from 1 to"),
        ("train=0", "train from 1"),
    ],
)
def test_wrong_settings(settings: str, fault: str) -> None:
    with pytest.raises(HsEnvError, match=fault):
        load_corpus(f"propositions:{settings}")
