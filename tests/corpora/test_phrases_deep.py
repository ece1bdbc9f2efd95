"""The deep corpus: its labels and gold modules against an evaluator of its own, and what tells train from test."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hs_env.corpora import load_corpus
from hs_env.corpora.corpus import Corpus
from hs_env.corpora.phrases import COPULAS, DEGREES, NEGATORS, WEIGHTS
from hs_env.corpora.phrases_deep import CONTRASTS, DENIALS, EMPHASES, HEDGES, deep_sentence, phrases_deep, values
from hs_env.errors import HsEnvError
from hs_env.problems.modules import ASSERT, CONTRAST, NEGATE, SCALE
from hs_env.types import INSIDE, Sentence

KEYS = st.tuples(st.integers(0, 2**32), st.sampled_from(["train", "dev", "test"]), st.integers(0, 10**6))
FIXED = {
    **dict.fromkeys(DENIALS, (NEGATE, -1.0)),
    **dict.fromkeys(EMPHASES, (SCALE, 2.0)),
    **dict.fromkeys(HEDGES, (SCALE, 0.5)),
    **dict.fromkeys(CONTRASTS, (CONTRAST, 0.0)),
}


def read(words: tuple[str, ...]) -> tuple[list[float], list[int]]:
    """Values and gold actions from the words alone, left to right without a look ahead."""
    value, clause, factor, phrase = 0.0, 0.0, 1.0, ""
    seen, actions = [], []
    for word in words:
        phrase = f"{phrase} {word}".strip()
        in_clause = phrase.split()[0] in COPULAS
        if in_clause:
            factor *= -1.0 if word in NEGATORS else DEGREES.get(word, 1.0)
            clause += factor * WEIGHTS.get(word, 0.0)
        if in_clause and word in WEIGHTS:
            value, action = value + clause, ASSERT
        elif phrase in FIXED:
            action, by = FIXED[phrase]
            value *= by
        else:
            actions.append(INSIDE)
            continue
        actions.append(action)
        seen.append(value)
        clause, factor, phrase = 0.0, 1.0, ""
    return seen, actions


@settings(max_examples=200, deadline=None)
@given(KEYS, st.integers(0, 8))
def test_every_sentence(key: tuple[int, str, int], depth: int) -> None:
    sentence = deep_sentence(*key, range(depth, depth + 1))
    assert sentence == deep_sentence(*key, range(depth, depth + 1))
    seen, actions = read(sentence.words)
    assert sentence.gold_actions == tuple(actions)
    assert values(sentence.words, actions) == seen
    assert sentence.label == (0 if seen[-1] <= -3 else 1 if seen[-1] < 0 else 2 if seen[-1] < 3 else 3)
    assert max(map(abs, seen)) <= 8
    assert 0.5 <= abs(seen[-1]) <= 1 or abs(seen[-1]) >= 3
    assert depth_of(sentence) == depth


def depth_of(sentence: Sentence) -> int:
    assert sentence.gold_actions is not None
    return sum(action > ASSERT for action in sentence.gold_actions)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return phrases_deep(train=400, dev=40, test=80)


def test_test_sentences_are_deeper_than_all_others(corpus: Corpus) -> None:
    assert {depth_of(each) for split in ("train", "dev") for each in corpus.splits[split]} == {0, 1, 2}
    assert {depth_of(each) for each in corpus.splits["test"]} == {16, 17, 18}
    shallow, deep = (load_corpus(f"phrases_deep:train=20,dev=4,test=40,{knob}") for knob in ("depth=0", "test_depth=1"))
    assert {depth_of(each) for each in shallow.splits["train"]} == {0}
    assert {depth_of(each) for each in deep.splits["test"]} == {1, 2, 3}


def test_labels_are_balanced_and_sizes_change_no_sentence(corpus: Corpus) -> None:
    for sentences in corpus.splits.values():
        for start in range(0, len(sentences), 4):
            assert {each.label for each in sentences[start : start + 4]} == {0, 1, 2, 3}
    small = phrases_deep(train=10, dev=5, test=0)
    assert all(each == corpus.splits[split][: len(each)] for split, each in small.splits.items())
    assert phrases_deep(seed=1, train=10, dev=0, test=0).splits["train"] != small.splits["train"]


def test_the_order_of_phrases_matters(corpus: Corpus) -> None:
    """With the phrases of a sentence in reverse order, most labels would be others."""
    changed = 0
    for each in corpus.splits["test"]:
        assert each.gold_actions is not None
        phrases, phrase = [], []
        for word, action in zip(each.words, each.gold_actions, strict=True):
            phrase.append((word, action))
            if action:
                phrases.append(phrase)
                phrase = []
        words, actions = zip(*[pair for phrase in reversed(phrases) for pair in phrase], strict=True)
        before, after = values(each.words, each.gold_actions)[-1], values(words, actions)[-1]
        changed += abs(before - after) > 0.25
    assert changed > 0.5 * len(corpus.splits["test"])


@pytest.mark.parametrize("knobs", [{"train": 0}, {"test": 10**9}, {"depth": -1}, {"test_depth": 21}, {"seed": -1}])
def test_bad_knobs(knobs: dict[str, int]) -> None:
    with pytest.raises(HsEnvError, match="phrases_deep: expected"):
        phrases_deep(**knobs)
