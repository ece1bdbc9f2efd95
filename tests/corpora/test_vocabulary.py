"""Vocabulary: order, special words, round trips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hs_env.corpora import SPECIAL_WORDS, Vocabulary
from hs_env.errors import HsEnvError
from hs_env.types import PADDING, UNKNOWN, Sentence


def test_frequency_then_alphabet() -> None:
    sentences = [Sentence(("b", "a", "c"), 0), Sentence(("c", "d", "c"), 0), Sentence(("d",), 0)]
    assert Vocabulary.from_sentences(sentences).words == ("<pad>", "<unk>", "c", "d", "a", "b")
    assert Vocabulary.from_sentences(sentences, min_count=2).words == ("<pad>", "<unk>", "c", "d")


def test_special_words_stand_at_their_ids() -> None:
    vocabulary = Vocabulary(["a"])
    assert vocabulary.words[PADDING] == "<pad>"
    assert vocabulary.words[UNKNOWN] == "<unk>"
    assert vocabulary.encode(["a", "z", "<unk>", "<pad>"]) == [2, UNKNOWN, UNKNOWN, UNKNOWN]


@given(st.lists(st.text(min_size=1).filter(lambda word: word not in SPECIAL_WORDS), unique=True))
def test_ids_lead_back_to_words(words: list[str]) -> None:
    vocabulary = Vocabulary(words)
    assert [vocabulary.words[index] for index in vocabulary.encode(words)] == words
    assert len(vocabulary) == len(words) + 2
    assert Vocabulary(vocabulary.words) == vocabulary
    assert hash(Vocabulary(words)) == hash(vocabulary)


def test_bad_words() -> None:
    with pytest.raises(HsEnvError, match="1 occur more than once: 'a'"):
        Vocabulary(["a", "b", "a"])
    with pytest.raises(HsEnvError, match="word 3 is empty"):
        Vocabulary(["a", ""])
    assert Vocabulary(["a"]) != Vocabulary(["b"])
