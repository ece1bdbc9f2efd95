"""`HSLSTMClassifier` in scikit-learn: parameters, labels, searches, copies."""

from __future__ import annotations

import copy
import pickle
import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

import hs_env
from hs_env import HSLSTMClassifier
from hs_env.errors import HsEnvError
from hs_env.training import TrainConfig

FAST: dict[str, Any] = {
    "model": "cnn",
    "vectors": "random:8",
    "model_parameters": {"hidden_size": 9, "dropout": 0.1, "word_dropout": 0.0},
    "learning_rate": 3e-2,
    "batch_size": 8,
    "tau": 0.3,
    "warm_epochs": 4,
    "joint_epochs": 0,
    "threads": 1,
}
X = [
    f"{word} {noun}" for word in ("good", "superb", "bad", "dull") for noun in "film movie plot story drama".split()
] * 3
Y = np.repeat([True, True, False, False], 5).tolist() * 3


@pytest.fixture(scope="module")
def fitted() -> HSLSTMClassifier:
    return HSLSTMClassifier(**FAST).fit(X, Y)


@pytest.mark.parametrize("labels", [("pos", "neg"), (3, -1), (np.str_("a"), np.str_("b")), (True, False)])
def test_labels_may_be_of_any_type(labels: tuple[Any, Any]) -> None:
    y = [labels[0] if each else labels[1] for each in Y]
    found = HSLSTMClassifier(**FAST).fit(X, y)
    assert found.classes_.tolist() == sorted(labels)
    assert found.score(X, y) > 0.9
    assert found.predict(X).dtype == np.asarray(y).dtype
    assert found.predict_proba(X[:2]).argmax(1).tolist() == [int(labels[0] > labels[1])] * 2


def test_parameters_are_the_fields_of_the_configuration() -> None:
    expected = {each.name for each in fields(TrainConfig)} - {"corpus", "seed"} | {"random_state", "folder", "verbose"}
    assert HSLSTMClassifier().get_params().keys() == expected
    with pytest.raises(HsEnvError, match=r"Unknown parameter of HSLSTMClassifier 'learning_rat'. Did you mean"):
        HSLSTMClassifier(learning_rat=1)
    with pytest.raises(HsEnvError, match="learning_rate must be a number"):
        HSLSTMClassifier(learning_rate="fast").fit(X, Y)
    searched = HSLSTMClassifier(**FAST).set_params(model_parameters__hidden_size=4, tau=0.1)
    assert searched.model_parameters == FAST["model_parameters"] | {"hidden_size": 4}
    assert FAST["model_parameters"]["hidden_size"] == 9
    assert searched.tau == 0.1


@pytest.mark.parametrize(
    "name",
    [
        "check_estimator_cloneable",
        "check_valid_tag_types",
        "check_estimator_repr",
        "check_no_attributes_set_in_init",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_mixin_order",
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
    ],
)
def test_checks_of_scikit_learn_that_do_not_fit_numbers(name: str) -> None:
    if not hasattr(estimator_checks, name):
        pytest.skip("this version of scikit-learn lacks the check")
    getattr(estimator_checks, name)("HSLSTMClassifier", HSLSTMClassifier())


def test_the_checks_of_scikit_learn_accept_texts() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has no checks for texts
        estimator_checks.check_estimator(HSLSTMClassifier())


def test_pipeline_cross_validation_and_grid_search() -> None:
    pipeline = make_pipeline(
        FunctionTransformer(lambda texts: [text.upper() for text in texts]), HSLSTMClassifier(**FAST)
    )
    assert np.mean(cross_val_score(pipeline, np.array(X, dtype=object), Y, cv=2)) > 0.8
    search = GridSearchCV(HSLSTMClassifier(**FAST), {"model_parameters__hidden_size": [3, 9], "seed_": [0]}, cv=2)
    with pytest.raises(ValueError, match="seed_"):
        search.fit(X, Y)
    search = GridSearchCV(HSLSTMClassifier(**FAST), {"model_parameters__hidden_size": [3, 9]}, cv=2).fit(X, Y)
    assert search.best_estimator_.predictor_.model.hidden_size == search.best_params_["model_parameters__hidden_size"]


def test_copies_predict_the_same(fitted: HSLSTMClassifier, tmp_path: Path) -> None:
    expected = fitted.predict_proba(X[:4])
    joblib.dump(fitted, tmp_path / "classifier.joblib")
    copies = copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "classifier.joblib")
    for copied in copies:
        np.testing.assert_array_equal(copied.predict_proba(X[:4]), expected)
    with pytest.raises(NotFittedError):
        clone(fitted).predict(X)


def test_random_state(fitted: HSLSTMClassifier) -> None:
    again = clone(fitted).fit(X, Y)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    other = clone(fitted).set_params(random_state=np.random.RandomState(1)).fit(X, Y)
    assert not np.array_equal(other.predict_proba(X), fitted.predict_proba(X))


def test_texts_without_words(fitted: HSLSTMClassifier) -> None:
    with pytest.warns(UserWarning, match="1 of 61 texts have no words and are left out"):
        HSLSTMClassifier(**FAST).fit([*X, " "], [*Y, True])
    assert fitted.predict_proba(["", "good film"])[0].tolist() == fitted.class_prior_.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("label", "message"),
    [("zzz", "No text of the class 'zzz' has words"), (None, "cannot be sorted"), ("a\ud83d", "half a surrogate pair")],
)
def test_labels_that_cannot_be_learned_are_refused(tmp_path: Path, label: str | None, message: str) -> None:
    y = np.array([*("pos" if each else "neg" for each in Y), label], dtype=object)
    text = " " if label == "zzz" else "dull film"
    with pytest.raises(HsEnvError, match=message):
        HSLSTMClassifier(**FAST | {"folder": tmp_path / "kept"}).fit([*X, text], y)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_parameter_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    with pytest.raises(HsEnvError, match="batch_size"):
        HSLSTMClassifier(**FAST | {"folder": folder, "batch_size": 0}).fit(X, Y)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_keeps_the_run(tmp_path: Path) -> None:
    fitted = HSLSTMClassifier(**FAST | {"folder": tmp_path / "kept"}).fit(X, Y)
    loaded = hs_env.load(tmp_path / "kept" / "run")
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert loaded.history == fitted.history_
    assert loaded.classes_.tolist() == ["False", "True"]
    with pytest.raises(HsEnvError, match=r"is not empty\. Give a new folder"):
        fitted.fit(X, Y)


def test_a_folder_can_be_used_after_a_fit_that_failed(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    with pytest.raises(HsEnvError, match="nofile"):
        HSLSTMClassifier(**FAST | {"folder": folder, "vectors": "nofile.txt"}).fit(X, Y)
    HSLSTMClassifier(**FAST | {"folder": folder}).fit(X, Y)


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ("good film", [1], "single text"),
        (X, Y[:-1], "a label for each of 60 texts"),
        (X, [1] * 60, "two or more classes, got 1"),
        (X, np.linspace(0, 1, 60), "Unknown label type"),
        ([1] * 60, Y, "text at index 0 is 1"),
        (X, [str(i // 2) for i in range(60)], "a few classes, got 30 different labels of 60 texts"),
        (X, [" a", "a"] * 30, "not distinct as texts"),
    ],
)
def test_other_inputs_are_refused(texts: Any, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HSLSTMClassifier(**FAST).fit(texts, labels)


def test_a_fit_that_fails_leaves_the_classifier_as_it_was() -> None:
    made = HSLSTMClassifier(**FAST | {"learning_rate": -1.0})
    with pytest.raises(HsEnvError):
        made.fit(X, Y)
    with pytest.raises(NotFittedError):
        made.predict(X)
