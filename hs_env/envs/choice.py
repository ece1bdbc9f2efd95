"""Which sentence an episode reads: the options of `reset`."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch

from hs_env.envs.outcome import UNLABELLED
from hs_env.envs.resources import Resources
from hs_env.models import Classifier
from hs_env.registry import unknown_name
from hs_env.types import HsEnvError, SentenceBatch

TEXT_INDEX: Final = -1
"""Index of a sentence that stands in no split."""

_OPTIONS: Final = ("indices", "label", "text")


def choose_sentence(
    resources: Resources, options: Mapping[str, Any], generator: np.random.Generator
) -> tuple[tuple[str, ...], SentenceBatch]:
    """The sentence that the options ask for, or one of the split drawn uniformly.

    Args:
        resources: The split and the classifier.
        options: Options of `reset`, see `PhraseSegmentationEnv`.
        generator: Asked for one integer if the options choose nothing, else left alone.

    Returns:
        Its words, and the same as a batch of one.

    Raises:
        HsEnvError: Options that are unknown, contradict each other or are out of range; a text without words.
    """
    for key in options:
        if key not in _OPTIONS:
            raise unknown_name("reset option", str(key), _OPTIONS)
    if "text" in options:
        if "indices" in options:
            raise HsEnvError("The reset options 'indices' and 'text' exclude each other; give one of them.")
        return _text(resources.classifier, options["text"], options.get("label"))
    if "label" in options:
        raise HsEnvError("The reset option 'label' goes with 'text'; a sentence of the corpus has its own label.")
    count = len(resources.sentences)
    index = _index(options["indices"], count) if "indices" in options else int(generator.integers(count))
    return resources.sentences[index].words, resources.encoded.batch(torch.tensor([index]))


def _text(classifier: Classifier, text: Any, label: Any) -> tuple[tuple[str, ...], SentenceBatch]:
    if not isinstance(text, str):
        raise HsEnvError(f"The reset option 'text' is {text!r}, expected a string.")
    sentence = classifier.sentence(text)
    gold = UNLABELLED if label is None else _label(label, classifier.labels)
    batch = replace(classifier.batch([sentence]), labels=torch.tensor([gold]), indices=torch.tensor([TEXT_INDEX]))
    return sentence.words, batch


def _index(given: Any, count: int) -> int:
    try:
        (index,) = (operator.index(value) for value in np.atleast_1d(given))
    except (TypeError, ValueError) as error:
        raise HsEnvError(
            f"The reset option 'indices' is {given!r}, expected an integer or a sequence of one."
        ) from error
    if not 0 <= index < count:
        raise HsEnvError(f"The index is {index}, but the split holds the sentences 0 to {count - 1}.")
    return index


def _label(given: Any, labels: tuple[str, ...]) -> int:
    if isinstance(given, str):
        if given not in labels:
            raise unknown_name("label", given, labels)
        return labels.index(given)
    try:
        index = operator.index(given)
    except TypeError:
        index = -1
    if not 0 <= index < len(labels):
        raise HsEnvError(f"The label is {given!r}, expected 0 to {len(labels) - 1} or one of {', '.join(labels)}.")
    return index
