"""A classifier of texts for scikit-learn."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import MISSING, fields
from inspect import Parameter, Signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from hs_env.corpora import tokenise
from hs_env.corpora.labels import read_label, too_many
from hs_env.corpora.layouts import TOKENISATION
from hs_env.corpora.splits import DEV_SHARES, stratified_split
from hs_env.errors import HsEnvError, expand, missing_extra, shown
from hs_env.inference.predictor import load
from hs_env.inference.texts import check_texts
from hs_env.registry import unknown_name
from hs_env.storage import check_folder, write_atomically
from hs_env.textfile import has_surrogates
from hs_env.training import TrainConfig, train
from hs_env.types import Sentence

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    raise missing_extra("Classifiers for scikit-learn", "analysis") from error

_OWN: Final = {"random_state": 0, "folder": None, "verbose": False}
_TRAINING: Final = {
    each.name: None if each.default is MISSING else each.default
    for each in fields(TrainConfig)
    if each.name not in ("corpus", "seed")
}
PARAMETERS: Final[dict[str, Any]] = _TRAINING | _OWN
"""Default of each parameter of `HSLSTMClassifier`. None for a mapping means the default of `TrainConfig`."""

_DATA, _RUN = "data", "run"
"""Folders of the sentences and of the run, in the folder of a fit."""


class HSLSTMClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """HS-LSTM, or another model of hs-env, as a classifier of texts for scikit-learn.

    `fit` trains as `hs-env train` does. A stratified tenth of the texts is the dev split, on which epochs are chosen.
    A text without words is left out in training, and gets the shares of the classes in training as its probabilities.

    Args:
        **parameters: The fields of `TrainConfig` but `corpus` and `seed`, such as `model="cnn"`, `warm_epochs=3` and
            `model_parameters={"hidden_size": 100}`. A search sets a single one of the latter as
            `model_parameters__hidden_size`. Further parameters:

            * `random_state`: seed from 0, a `RandomState`, or None for one of NumPy's global generator. Default: 0.
            * `folder`: new folder to keep, with the sentences in `data` and the run in `run`, which `hs_env.load` and
              `hs-env evaluate` read. Default: a temporary folder.
            * `verbose`: whether training shows its progress on standard error.

    Attributes:
        classes_: (C,) labels, sorted.
        class_prior_: (C,) float64 share of each class in training.
        predictor_: Trained classifier, for `segment` and `vectors`.
        history_: Scores on dev after each epoch.
    """

    def __init__(self, **parameters: Any) -> None:
        for name in parameters:
            if name not in PARAMETERS:
                raise unknown_name("parameter of HSLSTMClassifier", name, PARAMETERS)
        for name, value in (PARAMETERS | parameters).items():
            setattr(self, name, value)

    __init__.__signature__ = Signature(  # type: ignore[attr-defined]  # where scikit-learn finds the parameters
        [
            Parameter("self", Parameter.POSITIONAL_OR_KEYWORD),
            *(Parameter(name, Parameter.KEYWORD_ONLY, default=default) for name, default in PARAMETERS.items()),
        ]
    )

    def set_params(self, **parameters: Any) -> HSLSTMClassifier:
        """Set parameters; `model_parameters__hidden_size` sets one entry of a mapping.

        Raises:
            ValueError: If a parameter is unknown.
        """
        whole: dict[str, Any] = {}
        for name, value in parameters.items():
            mapping, nested, entry = name.partition("__")
            if nested and mapping.endswith("_parameters") and mapping in PARAMETERS:
                whole[mapping] = {**(whole.get(mapping, getattr(self, mapping)) or {}), entry: value}
            else:
                whole[name] = value
        super().set_params(**whole)
        return self

    def fit(self, X: Iterable[str], y: Iterable[Any]) -> HSLSTMClassifier:  # noqa: N803 - the name in scikit-learn
        """Train on texts and their labels, which may be of any type that can be sorted.

        Raises:
            HsEnvError: If texts and labels do not fit, there are fewer than two classes, or a parameter is not
                possible.
        """
        config = self._config()
        sentences, classes, prior = self._sentences(X, y)
        with TemporaryDirectory(prefix="hs_env-") if self.folder is None else nullcontext(self.folder) as made:
            folder = expand(made)
            check_folder(folder)
            training = TrainConfig(corpus=str(folder / _DATA), **config)
            training.resolve()  # before anything is written
            if folder.exists() and any(folder.iterdir()):
                raise HsEnvError(f"{folder} is not empty. Give a new folder; a search needs folder=None.")
            _write(folder / _DATA, sentences, _names(classes))
            try:
                run = train(training, folder / _RUN, Console(stderr=True, quiet=not self.verbose))
            except BaseException:
                if not (folder / _RUN).exists():
                    shutil.rmtree(folder / _DATA)
                raise
            self.predictor_ = load(run.folder, run.classifier.device)
        self.classes_, self.class_prior_, self.history_ = classes, prior, self.predictor_.history
        return self

    def predict(self, X: Iterable[str]) -> NDArray[Any]:  # noqa: N803
        """Return the most probable label of each text, (N,); for a text without words, the most frequent one.

        Raises:
            NotFittedError: If `fit` was not called.
            HsEnvError: If `X` is no iterable of texts.
        """
        best = self.predict_proba(X).argmax(1)
        labels: NDArray[Any] = self.classes_[best]
        return labels

    def predict_proba(self, X: Iterable[str]) -> NDArray[np.float64]:  # noqa: N803
        """Return the probability of each label, (N, C) float64, in the order of `classes_`."""
        check_is_fitted(self, "predictor_")
        columns = [self.predictor_.classifier.labels.index(name) for name in _names(self.classes_)]
        probabilities = self.predictor_.predict_proba(X)[:, columns]
        return np.where(np.isnan(probabilities), self.class_prior_, probabilities)

    def _config(self) -> dict[str, Any]:
        """Return the fields of `TrainConfig`, but for the corpus."""
        if self.encoder_rate and self.folder is None:
            raise HsEnvError("A fine-tuned encoder is kept in the folder of the run. Give a folder.")
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = int(check_random_state(seed).randint(2**31))
        given = {name: getattr(self, name) for name in _TRAINING}
        return {name: value for name, value in given.items() if value is not None} | {"seed": int(seed)}

    def _sentences(
        self, given: Iterable[str], y: Iterable[Any]
    ) -> tuple[list[Sentence], NDArray[Any], NDArray[np.float64]]:
        """Check texts and labels; return the sentences that have words, the labels, and the share of each in `y`."""
        texts, labels = list(check_texts(given)), np.asarray(y if hasattr(y, "__len__") else list(y))
        if labels.shape != (len(texts),):
            raise HsEnvError(f"Expected a label for each of {len(texts)} texts, got labels of shape {labels.shape}.")
        try:
            check_classification_targets(labels)
            classes, indices = np.unique(labels, return_inverse=True)
        except TypeError as error:
            raise HsEnvError(f"The labels cannot be sorted: {error}. Make them all texts or all numbers.") from None
        if len(classes) < 2:
            raise HsEnvError(f"Expected two or more classes, got {len(classes)}.")
        names = _names(classes)
        if len(set(names)) < len(names):
            raise HsEnvError(f"The labels are not distinct as texts: {names}. Rename them.")
        prior = np.bincount(indices) / len(indices)
        words = [tokenise(text, TOKENISATION) for text in texts]
        sentences = [Sentence(each, index) for each, index in zip(words, indices.tolist(), strict=True) if each]
        if missing := set(range(len(names))) - {each.label for each in sentences}:
            raise HsEnvError(
                f"No text of the class {names[min(missing)]!r} has words. Leave this class out, or add texts."
            )
        if left := len(texts) - len(sentences):
            warnings.warn(f"{left:,} of {len(texts):,} texts have no words and are left out.", stacklevel=3)
        return sentences, classes, prior

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.one_d_array, tags.input_tags.two_d_array = True, True, False
        return tags


def _write(folder: Path, sentences: Sequence[Sentence], names: Sequence[str]) -> None:
    """Write the splits train and dev as a corpus whose labels are the names of the classes.

    Raises:
        HsEnvError: If there are too many classes for so few sentences, or no sentence is left for dev.
    """
    splits = stratified_split(sentences, DEV_SHARES)
    if too_many(len(names), len(splits["train"])):
        raise HsEnvError(f"Expected a few classes, got {len(names):,} different labels of {len(sentences):,} texts.")
    if not splits["dev"]:
        raise HsEnvError(
            f"The {len(sentences):,} texts are too few or too alike: none is left to choose the best epoch on. Give "
            "more distinct texts of each class."
        )
    for split, chosen in splits.items():
        rows = [{"text": " ".join(each.words), "label": names[each.label]} for each in chosen]
        lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        write_atomically(folder / f"{split}.jsonl", lines.encode(), replace=False)


def _names(labels: Iterable[Any]) -> list[str]:
    """Return labels as a corpus reads them from a file.

    Raises:
        HsEnvError: If one is empty or too long, or no Unicode text.
    """
    names = []
    for label in labels:
        try:
            names.append(read_label(str(label)))
        except ValueError:
            raise HsEnvError(f"The label {shown(label)} is empty, not a number or too long. Rename it.") from None
        if has_surrogates(names[-1]):
            raise HsEnvError(f"The label {shown(label)} holds half a surrogate pair, such as half an emoji. Rename it.")
    return names
