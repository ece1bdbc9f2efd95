"""The vocabulary that `scripts/review_classifier.py` gives to a shipped classifier."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

from hs_env.corpora import Corpus, Vocabulary
from hs_env.corpora.tokenisation import tokenise
from hs_env.models import Classifier, PlainLSTM
from hs_env.types import PADDING, UNKNOWN, Sentence
from hs_env.vectors import load_vectors


def test_words_of_the_shipped_classifiers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "scripts")
    script = importlib.import_module("review_classifier")
    train = (Sentence(("a", "good", "zzzq", "zzzq"), 1), Sentence(("a", "bad", "qqqz"), 0))
    corpus = Corpus("small", ("negative", "positive"), {"train": train, "dev": (Sentence(("dull",), 0),)}, "glove")
    before = Vocabulary(["a", "good", "bad", "zzzq", "qqqz", "dull"])
    with torch.random.fork_rng():
        model = PlainLSTM(len(before), 2, embedding_size=50, hidden_size=3)
    classifier = script.with_frequent_words(Classifier(model, before, corpus.labels, "glove", {}), corpus, 12)
    words = classifier.vocabulary.words
    assert words[2:6] == ("a", "good", "bad", "zzzq")  # qqqz occurs once and has no vector; dull is a word of dev
    assert len(words) == 2 + 12
    assert words[6:9] == ("the", "of", "to")
    assert all(tokenise(word, "glove") == (word,) for word in words[2:])
    new, old = classifier.model.state_dict()["words.weight"], model.state_dict()["words.weight"]
    for word in ("a", "good", "bad", "zzzq"):
        assert torch.equal(new[words.index(word)], old[before.words.index(word)])
    assert torch.equal(new[[PADDING, UNKNOWN]], old[[PADDING, UNKNOWN]])
    glove = load_vectors("glove-6b-50d", words, seed=0)
    assert torch.equal(new[6:], torch.from_numpy(glove.matrix)[6:])
    assert glove.found[6:].all()
