"""A corpus checks itself."""

import pytest

from hs_env.corpora import CORPORA, Corpus, register_corpus
from hs_env.errors import HsEnvError
from hs_env.types import Sentence

GOOD = Sentence(("good",), 1, (1,))
BAD = Sentence(("not", "good"), 0, (0, 1))


def make(**changes: object) -> Corpus:
    fields = {"name": "toy", "labels": ("negative", "positive"), "splits": {"train": (GOOD, BAD)}}
    return Corpus(**{**fields, "tokenisation": "split", **changes})


def test_splits_that_are_not_given_are_empty() -> None:
    corpus = make()
    assert corpus.counts == {"train": 2, "dev": 0, "test": 0}
    assert corpus.splits["test"] == ()


def test_description() -> None:
    assert make().description == (
        "toy: train 2, dev 0, test 0 sentences of 1.5 words on average; labels negative, positive"
    )


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        (Sentence((), 0), "no words"),
        (Sentence("a b", 0), "its words are 'a b', expected a tuple of texts"),
        (Sentence(("a", None), 0), "expected a tuple of texts"),
        (("a", 0), "it is .* expected a Sentence"),
        (Sentence(("a",), 1.0), r"label is 1\.0, expected 0 to 1"),
        (Sentence(("a",), "1"), "label is '1', expected 0 to 1"),
        (Sentence(("a", ""), 0), "word 1 is empty"),
        (Sentence(("a", "b\ud83d"), 0), r"'b\\ud83d' contains half a surrogate pair"),
        (Sentence(("a",), 2), "label is 2, expected 0 to 1"),
        (Sentence(("a",), -1), "label is -1"),
        (Sentence(("a", "b"), 0, (1,)), "2 words, but 1 gold actions"),
        (Sentence(("a", "b"), 0, unit="bytes"), "unit is 'bytes', but the tokenisation 'split' makes words"),
        (Sentence(("a", "b"), 0, (1, 0)), r"action 1 is INSIDE \(0\), which is not legal"),
        (Sentence(("a", "b"), 0, (2, 1)), r"action 0 is 2, expected INSIDE \(0\) or END \(1\)"),
    ],
)
def test_a_bad_sentence_is_named(sentence: Sentence, message: str) -> None:
    with pytest.raises(HsEnvError, match=f"'toy', dev sentence 1: .*{message}"):
        make(splits={"train": (GOOD,), "dev": (GOOD, sentence)})


def test_bad_splits_and_labels() -> None:
    with pytest.raises(HsEnvError, match="'train' holds no sentences"):
        make(splits={"test": (GOOD,)})
    with pytest.raises(HsEnvError, match="valid"):
        make(splits={"train": (GOOD,), "valid": (GOOD,)})
    for labels in (("one", "one"), (0, 1)):
        with pytest.raises(HsEnvError, match="distinct texts as labels"):
            make(labels=labels)
    with pytest.raises(HsEnvError, match=r"Unknown tokenisation .*'toy'.*'nltk'"):
        make(tokenisation="nltk")


def test_a_name_needs_a_version_and_is_never_redefined() -> None:
    with pytest.raises(HsEnvError, match="versioned"):
        register_corpus("mine")
    with pytest.raises(HsEnvError, match="registered already"):
        register_corpus("phrases.v1")
    assert "movie_reviews.v1" in CORPORA
