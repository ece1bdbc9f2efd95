"""Nearest neighbours of phrases, with the run that ships with the package."""

from __future__ import annotations

import numpy as np
import pytest

from hs_env.agents import load_agent
from hs_env.corpora import load_corpus
from hs_env.errors import HsEnvError
from hs_env.evaluation import PhraseIndex
from hs_env.inference.vectors import phrase_vectors
from hs_env.models import Classifier


@pytest.fixture(scope="module")
def index() -> PhraseIndex:
    sentences = load_corpus("phrases:train=200,dev=10,test=10").splits["train"]
    agent = load_agent("phrases")
    return PhraseIndex.of(Classifier.load("phrases"), agent, sentences)


def test_every_word_is_in_a_phrase(index: PhraseIndex) -> None:
    sentences = load_corpus("phrases:train=200,dev=10,test=10").splits["train"]
    words = sum(len(phrase) * count for phrase, count in index.counts.items())
    assert words == sum(len(sentence.words) for sentence in sentences)


def test_neighbours_are_the_greatest_cosines(index: PhraseIndex) -> None:
    (query,) = phrase_vectors(index.classifier, [("not", "very", "good")])
    cosines = index.vectors @ query / np.linalg.norm(index.vectors, axis=1) / np.linalg.norm(query)
    expected = sorted(zip(index.counts, cosines, strict=True), key=lambda each: -each[1])
    found = index.nearest("Not very good", 7)
    best = [each for each in expected if each[0] != ("not", "very", "good")][:7]
    assert [each.similarity for each in found] == pytest.approx([float(cosine) for _, cosine in best], abs=1e-5)
    assert all(each.count == index.counts[each.words] for each in found)


def test_a_phrase_is_no_neighbour_of_itself(index: PhraseIndex) -> None:
    phrase = max(index.counts, key=lambda each: index.counts[each])
    value = index.to_json(" ".join(phrase), len(index.counts) + 5)
    assert value["count"] == index.counts[phrase]
    assert len(value["neighbours"]) == len(index.counts) - 1
    assert value["phrase"] not in [each["phrase"] for each in value["neighbours"]]


def test_negation_counts_for_more_than_the_word(index: PhraseIndex) -> None:
    negations = {"not", "never", "no", "hardly", "scarcely", "without"}
    positive = {phrase for phrase in index.counts if "good" in phrase and not negations & set(phrase)}
    assert len(positive) > 5
    assert not positive & {each.words for each in index.nearest("not good", 5)}


def test_errors_say_what_is_wrong(index: PhraseIndex) -> None:
    with pytest.raises(HsEnvError, match="knows no word of 'zzz'"):
        index.nearest("zzz")
    with pytest.raises(HsEnvError, match="got 0"):
        index.nearest("good", 0)
    with pytest.raises(HsEnvError, match="IDLSTM has no phrase vectors"):
        phrase_vectors(Classifier.load("phrases_id_lstm"), [("good",)])
    with pytest.raises(HsEnvError, match="no sentences"):
        PhraseIndex.of(index.classifier, load_agent("phrases"), [])
