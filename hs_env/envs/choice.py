"""Select the sentences of the next episodes: the options of `reset`."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hs_env.compute import CPU, to_array
from hs_env.envs.episode_end import UNLABELLED
from hs_env.envs.resources import NamedResources, Resources
from hs_env.errors import HsEnvError, shown
from hs_env.models import Classifier
from hs_env.registry import unknown_name
from hs_env.types import SentenceBatch

TEXT_INDEX: Final = -1
"""Index of a sentence that is in no split."""

_OPTIONS: Final = ("indices", "label", "text")


class Chosen(NamedTuple):
    """R selected sentences.

    Attributes:
        words: Words of each sentence; empty where they are unknown.
        batch: Sentences as tensors.
        lengths: (R,) int64 numbers of words, which are known without waiting for the device of the batch.
    """

    words: list[tuple[str, ...]]
    batch: SentenceBatch
    lengths: NDArray[np.int64]


def checked_options(options: object) -> Mapping[str, Any]:
    """Return the options of `reset`, none for None.

    Raises:
        HsEnvError: If they are no mapping.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise HsEnvError(f"The options of reset must be a dict such as {{'indices': 3}}, got {shown(options)}.")
    return options


def checked_seed(seed: object) -> int | None:
    """Return a seed as a Python integer; None stays None.

    Raises:
        HsEnvError: If it is not a whole number from 0.
    """
    if seed is None:
        return None
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise HsEnvError(f"The seed must be an integer from 0, or None, got {shown(seed)}.")
    return int(seed)


def choose(resources: Resources, options: Mapping[str, Any], slots: Sequence[int], num_envs: int) -> Chosen | None:
    """Select sentences by the options; return None without options.

    Args:
        resources: Split and classifier.
        options: `indices`, `text` and `label`; each is one value for all slots, or a sequence of one value per slot.
        slots: R slots that need a sentence.
        num_envs: Number of slots of the environment.

    Raises:
        HsEnvError: If options are unknown, contradictory or out of range, or a text has no words.
    """
    for key in options:
        if key not in _OPTIONS:
            raise unknown_name("reset option", str(key), _OPTIONS)
    if "text" in options:
        if "indices" in options:
            raise HsEnvError("The reset options 'indices' and 'text' exclude each other; pass one of them.")
        return _texts(resources, options, slots, num_envs)
    if "label" in options:
        raise HsEnvError("The reset option 'label' needs 'text'; a sentence of the corpus has its own label.")
    if "indices" not in options:
        return None
    given = _for_each("indices", options["indices"], num_envs, "an integer", np.integer | int)
    return _sentences(resources, [_index(given[slot], len(resources.encoded)) for slot in slots])


def draw(resources: Resources, generators: Sequence[np.random.Generator]) -> Chosen:
    """Draw a sentence of the split uniformly with each of the R generators, by one integer."""
    count = len(resources.encoded)
    return _sentences(resources, [int(generator.integers(count)) for generator in generators])


def _sentences(resources: Resources, indices: Sequence[int]) -> Chosen:
    places = torch.tensor(indices, device=CPU)
    sizes = to_array(resources.encoded.sizes[places])
    return Chosen([resources.words(index) for index in indices], resources.encoded.batch(places), sizes)


def _texts(resources: Resources, options: Mapping[str, Any], slots: Sequence[int], num_envs: int) -> Chosen:
    if not isinstance(resources, NamedResources):
        raise HsEnvError("The reset option 'text' needs an environment made by name; this one has no vocabulary.")
    classifier = resources.classifier
    texts = _for_each("text", options["text"], num_envs, "a string", str)
    labels = _for_each("label", options.get("label"), num_envs, "a label", object)
    sentences = [classifier.sentence(texts[slot]) for slot in slots]
    gold = [UNLABELLED if labels[slot] is None else _label(labels[slot], classifier) for slot in slots]
    batch = classifier.batch(sentences)
    indices = torch.full_like(batch.indices, TEXT_INDEX)
    batch = replace(batch, labels=torch.tensor(gold, device=indices.device), indices=indices)
    words = [sentence.words for sentence in sentences]
    return Chosen(words, batch, np.array([*map(len, words)]))


def _for_each(name: str, given: Any, num_envs: int, what: str, kind: Any) -> Sequence[Any]:
    """Return one value per slot."""
    sequence = isinstance(given, list | tuple | range) or (isinstance(given, np.ndarray) and given.ndim == 1)
    values = list(given) if sequence else [given]
    values = values * num_envs if len(values) == 1 else values
    if len(values) != num_envs or not all(isinstance(value, kind) and not isinstance(value, bool) for value in values):
        each = "" if num_envs == 1 else f", or of one for each of the {num_envs} environments"
        raise HsEnvError(f"The reset option {name!r} is {given!r}, expected {what} or a sequence of one{each}.")
    return values


def _index(given: Any, count: int) -> int:
    index = operator.index(given)
    if not 0 <= index < count:
        raise HsEnvError(f"The index is {index}, but the split holds the sentences 0 to {count - 1}.")
    return index


def _label(given: Any, classifier: Classifier) -> int:
    labels = classifier.labels
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
