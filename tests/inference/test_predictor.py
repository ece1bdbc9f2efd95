"""`hs_env.load`: every model and agent reads texts, batches change nothing, and inputs are checked."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import hs_env
from hs_env.agents import AGENTS, rollout
from hs_env.errors import HsEnvError
from hs_env.inference import Predictor
from hs_env.inference import predictor as module
from hs_env.models import HSLSTM, MODELS, FlatClassifier, StructuredEncoder
from tests.inference.builders import LABELS, WORDS, save_classifier

TEXTS = ["The movie is not very good.", "", "superb", "the plot is dull and the movie is bad", " \n"]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return hs_env.load(save_classifier(tmp_path_factory.mktemp("hs"), "hs_lstm", "reinforce"))


def random_texts(count: int) -> list[str]:
    generator = np.random.default_rng(0)
    return [" ".join(generator.choice(WORDS, generator.integers(1, 9))) for _ in range(count)]


@pytest.mark.parametrize("model", list(MODELS))
def test_every_model_reads_texts(tmp_path: Path, model: str) -> None:
    predictor = hs_env.load(save_classifier(tmp_path, model))
    probabilities, labels = predictor.predict_proba(TEXTS), predictor.predict(TEXTS)
    assert probabilities.shape == (5, 3)
    assert np.isnan(probabilities).any(1).tolist() == [False, True, False, False, True]
    np.testing.assert_allclose(probabilities[[0, 2, 3]].sum(1), 1, atol=1e-6)
    assert labels.tolist()[1::3] == [None, None]
    assert set(labels[[0, 2, 3]]) <= set(predictor.classes_)
    for text, row, label, found in zip(TEXTS, probabilities, labels, predictor.segment(TEXTS), strict=True):
        assert (found.text, found.label) == (text, label)
        assert [*found.probabilities.values()] == (row.tolist() if label else [])
        assert len(found.actions) in (0, len(found.words))
        assert json.loads(json.dumps(found.to_json()))["text"] == text
    assert predictor.dev_scores == {"accuracy": 0.5}
    assert predictor.vectors(["not good", "bad"]).shape[0] == 2
    assert isinstance(predictor.model, FlatClassifier) == (predictor.agent is None)


@pytest.mark.parametrize("agent", [name for name in AGENTS if not name.startswith("fixed")])
def test_every_agent_decides_texts(tmp_path: Path, agent: str) -> None:
    predictor = hs_env.load(save_classifier(tmp_path / agent, "hs_lstm", agent))
    found = predictor.segment(TEXTS[:1])[0]
    assert found.words == ("the", "movie", "is", "not", "very", "good", ".")
    assert " ".join(found.spans).split() == [*found.words]
    assert found.actions[-1] == "END"


def test_predictions_are_those_of_a_rollout(predictor: Predictor) -> None:
    classifier, text = predictor.classifier, TEXTS[3]
    assert isinstance(classifier.model, StructuredEncoder)
    assert predictor.agent is not None
    with torch.no_grad():
        batch = classifier.batch([classifier.sentence(text)])
        episodes = rollout(classifier.model, predictor.agent, batch, deterministic=True).episodes
    (found,) = predictor.segment([text])
    np.testing.assert_allclose([*found.probabilities.values()], episodes.log_probs[0].exp(), atol=1e-6)
    assert [classifier.model.problem.actions.index(name) for name in found.actions] == episodes.actions[0].tolist()


@pytest.mark.parametrize("model", ["hs_lstm", "id_lstm", "cnn"])
def test_order_and_chunks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    predictor, texts = hs_env.load(save_classifier(tmp_path, model)), random_texts(60)
    whole = predictor.predict_proba(texts)
    alone = np.concatenate([predictor.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(whole, alone, atol=1e-6)
    monkeypatch.setattr(module, "CHUNK", 7)
    np.testing.assert_allclose(predictor.predict_proba(iter(texts[::-1])), whole[::-1], atol=1e-6)


def test_an_endless_stream_is_read_as_needed(predictor: Predictor) -> None:
    def endless() -> Any:
        while True:
            yield "the movie"

    stream = predictor.stream(endless(), 4)
    assert [next(stream).words for _ in range(6)] == [("the", "movie")] * 6


@pytest.mark.parametrize(
    "texts",
    [
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        pd.Series(TEXTS, index=[9, 8, 7, 6, 5]),
        (text for text in TEXTS),
    ],
    ids=lambda texts: f"{type(texts).__name__} {getattr(texts, 'dtype', '')}",
)
def test_texts_may_be_any_iterable(predictor: Predictor, texts: Any) -> None:
    assert predictor.predict(texts).tolist() == predictor.predict(TEXTS).tolist()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("the movie", "got the single text 'the movie'. Put it in a list"),
        (b"the movie", "single text"),
        (None, "Expected a list of texts, got None"),
        (3, "Expected a list of texts, got 3"),
        ([3], "text at index 0 is 3; expected a string.$"),
        (["a", None], "text at index 1 is None.*Replace missing values"),
        (pd.Series(["a", float("nan")]), "index 1 is nan.*Replace missing values"),
        ({"text": ["a"]}, r"got a table \(dict\).*table\['text'\]"),
        (pd.DataFrame({"text": ["a"]}), r"got a table \(DataFrame\)"),
        ([["a", "b"]], r"text at index 0 is \['a', 'b'\]"),
    ],
)
def test_other_inputs_are_refused(predictor: Predictor, texts: Any, message: str) -> None:
    for method in (predictor.predict, predictor.predict_proba, predictor.segment, predictor.vectors):
        with pytest.raises(HsEnvError, match=message):
            method(texts)


@pytest.mark.parametrize("chunk", [0, -1, 1.5])
def test_a_chunk_holds_at_least_one_text(predictor: Predictor, chunk: Any) -> None:
    with pytest.raises(HsEnvError, match="The size of a chunk is a whole number from 1"):
        predictor.stream(["good"], chunk)


@pytest.mark.parametrize("history", ["{}", "[]", "3", '{"epochs": 3}', '{"epochs": [3]}'])
def test_a_damaged_history_is_named(tmp_path: Path, history: str) -> None:
    save_classifier(tmp_path, "cnn")
    (tmp_path / "history.json").write_text(history)
    with pytest.raises(HsEnvError, match=r"history\.json does not hold the epochs of a run"):
        hs_env.load(tmp_path)


def test_no_texts(predictor: Predictor) -> None:
    assert predictor.predict([]).shape == (0,)
    assert predictor.predict_proba([]).shape == (0, 3)
    assert predictor.segment([]) == []
    assert predictor.vectors([]).shape == (0, 6)


def test_unknown_words_are_counted_and_warned_of_once(predictor: Predictor) -> None:
    with pytest.warns(UserWarning, match="does not know 100% of the words of text 2, 'le chien'") as caught:
        found = predictor.segment(["the movie", "le chien", "un chat", "the good chien movie"])
    assert len(caught) == 1
    assert [each.unknown for each in found] == [0, 1, 1, 0.25]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictor.predict(["the movie and le film"])


def test_vectors_of_hs_lstm_enter_its_phrase_level(predictor: Predictor) -> None:
    classifier = predictor.classifier
    assert isinstance(classifier.model, HSLSTM)
    with torch.no_grad():
        expected = classifier.model.phrase_vectors(classifier.batch([classifier.sentence("not very good")]))
    np.testing.assert_allclose(predictor.vectors(["bad", "not very good"])[1], expected[0], atol=1e-6)


@pytest.mark.parametrize("model", ["id_lstm", "cnn", "hm_lstm", "self_attentive"])
def test_vectors_of_other_models_enter_the_softmax(tmp_path: Path, model: str) -> None:
    predictor = hs_env.load(save_classifier(tmp_path, model))
    texts = random_texts(20)
    vectors = torch.from_numpy(predictor.vectors(texts))
    with torch.no_grad():
        probabilities = predictor.model.classify(vectors).exp()
    np.testing.assert_allclose(probabilities, predictor.predict_proba(texts), atol=1e-6)


def test_copies_predict_the_same(predictor: Predictor) -> None:
    expected = predictor.predict_proba(TEXTS)
    for copied in (copy.deepcopy(predictor), pickle.loads(pickle.dumps(predictor))):
        np.testing.assert_array_equal(copied.predict_proba(TEXTS), expected)


def test_an_encoder_needs_its_agent(tmp_path: Path, predictor: Predictor) -> None:
    folder = save_classifier(tmp_path, "hs_lstm")
    (folder / "agent.safetensors").unlink()
    with pytest.raises(HsEnvError, match="There is no agent at"):
        hs_env.load(folder)
    with pytest.raises(HsEnvError, match="HS-LSTM takes actions"):
        Predictor(predictor.classifier)


def test_names_of_classifiers() -> None:
    shipped = hs_env.load("phrases")
    assert shipped.predict(["the movie is not good"]) == ["negative"]
    assert shipped.dev_scores["accuracy"] > 0.9
    assert repr(shipped) == "<Predictor: HS-LSTM, 120 words, classes 'negative' and 'positive'>"
    with pytest.raises(HsEnvError, match="Did you mean 'phrases'"):
        hs_env.load("phrase")


def test_labels_are_the_classes(predictor: Predictor) -> None:
    assert predictor.classes_.tolist() == [*LABELS]
