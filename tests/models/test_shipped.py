"""The classifiers that ship with the package: their files, their words, and their accuracy on sentences never seen."""

from __future__ import annotations

import zlib
from functools import cache

import pytest
import torch

from hs_env.agents import Agent, load_agent
from hs_env.agents.policy import LogitPolicy
from hs_env.corpora import load_corpus
from hs_env.errors import HsEnvError
from hs_env.metrics.definitions import values_of
from hs_env.metrics.predictions import collect
from hs_env.metrics.scores import flat_scores, greedy_episodes
from hs_env.models import DEFAULT_RUN, Classifier, FlatClassifier, SkimLSTM, StructuredEncoder, shipped_runs
from hs_env.shipped import AGENT, CLASSIFIER
from hs_env.types import UNKNOWN

GENERATED = ["phrases", "phrases_id_lstm"]
REVIEWS = ["movie_reviews", "movie_reviews_id_lstm", "movie_reviews_plain_lstm"]
BYTES = 5 * 2**20
"""Limit of the files on movie reviews, which a wheel compresses further."""


@cache
def load(name: str) -> tuple[Classifier, Agent | None]:
    classifier = Classifier.load(name)
    has_agent = isinstance(classifier.model, StructuredEncoder)
    return classifier, load_agent(name) if has_agent else None


def predict(name: str, *texts: str) -> list[str]:
    """The predicted class of each text."""
    classifier, agent = load(name)
    split = classifier.encode([classifier.sentence(text) for text in texts])
    if isinstance(classifier.model, FlatClassifier):
        log_probs = classifier.model(split.batch(torch.arange(len(texts))))
        return [classifier.labels[row] for row in log_probs.argmax(1).tolist()]
    assert agent is not None
    found = {}
    for episodes in greedy_episodes(classifier.model, agent, split):
        found |= zip(episodes.sentences.indices.tolist(), episodes.log_probs.argmax(1).tolist(), strict=True)
    return [classifier.labels[found[row]] for row in range(len(texts))]


def test_all_are_there() -> None:
    assert {*GENERATED, *REVIEWS} <= shipped_runs().keys()
    assert DEFAULT_RUN in REVIEWS


def test_each_loader_takes_the_name_of_a_run_its_folder_or_the_file() -> None:
    folder, (classifier, agent) = shipped_runs()["phrases"], load("phrases")
    for run in (folder, folder / CLASSIFIER):
        assert Classifier.load(run).vocabulary == classifier.vocabulary
    assert isinstance(agent, LogitPolicy)
    for run in ("phrases", folder, folder / AGENT):
        loaded = load_agent(run)
        assert isinstance(loaded, LogitPolicy)
        assert all(map(torch.equal, loaded.pnet.parameters(), agent.pnet.parameters()))
    with pytest.raises(HsEnvError, match=r"Unknown agent 'phrase'\. Did you mean 'phrases'"):
        load_agent("phrase")
    with pytest.raises(HsEnvError, match=r"'movie_reviews_plain_lstm' that ships with hs-env has no agent"):
        load_agent("movie_reviews_plain_lstm")
    with pytest.raises(HsEnvError, match=r"none\.zip"):
        load_agent("none.zip")


@pytest.mark.parametrize("name", sorted(shipped_runs()))
def test_each_loads_in_32_bits(name: str) -> None:
    classifier, agent = load(name)
    assert {weight.dtype for weight in classifier.model.state_dict().values()} == {torch.float32}
    assert {"corpus", "made_by", "accuracy"} <= classifier.notes.keys()
    corpus = "listops:train=1,dev=0,test=1" if name == "listops" else classifier.notes["corpus"]  # the whole takes long
    assert classifier.labels == load_corpus(corpus).labels
    assert (agent is None) == (name in ("movie_reviews_plain_lstm", "phrases_hm_lstm"))


def test_they_are_small() -> None:
    files = [path for name in REVIEWS for path in shipped_runs()[name].glob("*.safetensors")]
    assert sum(len(zlib.compress(path.read_bytes())) for path in files) <= BYTES


@pytest.mark.parametrize("name", REVIEWS)
def test_notes_tell_the_accuracy_before_and_after_rounding(name: str) -> None:
    notes = load(name)[0].notes
    assert notes["seed"] == max(range(3), key=lambda seed: notes["seeds"][seed]["int8"]["dev"])
    for split in ("dev", "test"):
        trained, float32, int8 = (
            sum(seed[stage][split] for seed in notes["seeds"]) / 3 for stage in ("trained", "float32", "int8")
        )
        assert int8 >= float32 - 0.003
        assert int8 >= trained - 0.003
    assert notes["test"] > 0.75


def test_the_accuracy_of_the_plain_lstm_is_the_noted_one() -> None:
    classifier, _ = load("movie_reviews_plain_lstm")
    split = classifier.encode(load_corpus("movie_reviews").splits["test"])
    assert flat_scores(classifier.model, split)["accuracy"] == pytest.approx(classifier.notes["test"], abs=0.003)
    unknown = (split.tokens == UNKNOWN).float().mean().item()
    assert unknown == pytest.approx(classifier.notes["unknown"]["test"], abs=1e-4)


def test_the_skim_lstm_is_small_and_reads_a_part_of_the_words() -> None:
    classifier, agent = load("movie_reviews_skim_lstm")
    encoder, split = classifier.model, classifier.encode(load_corpus("movie_reviews").splits["test"])
    assert isinstance(encoder, SkimLSTM)
    assert agent is not None
    found = collect(list(greedy_episodes(encoder, agent, split)), encoder.problem)
    values = values_of(found)
    assert values["accuracy"] == pytest.approx(classifier.notes["test"], abs=0.003)
    assert values["accuracy"] > 0.7
    assert 0.2 < values["share_read"] < 0.8
    files = shipped_runs()["movie_reviews_skim_lstm"].glob("*.safetensors")
    assert sum(path.stat().st_size for path in files) < 2**19


@pytest.mark.parametrize("name", REVIEWS)
def test_plain_english(name: str) -> None:
    good = ["a good film", "Superb acting!", "A MASTERPIECE, AND VERY FUNNY", "i loved every minute of it"]
    bad = ["a bad film", "Dreadful acting.", "a dull, lifeless mess", "i hated every minute of it"]
    assert predict(name, *good, *bad) == ["positive"] * 4 + ["negative"] * 4


def test_the_vocabulary_says_which_words_are_unknown() -> None:
    vocabulary = load(DEFAULT_RUN)[0].vocabulary
    assert all(word in vocabulary for word in "the film is superb , n't 's ! awful".split())
    assert all(word not in vocabulary for word in ("zzyzx", "filmographique", "\U0001f600", "Film"))
