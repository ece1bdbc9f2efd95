"""Keep contextual word vectors on disk, in one SQLite file that several processes may fill at the same time."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from hs_env.errors import HsEnvError
from hs_env.vectors.cache import cache_folder

Words = tuple[str, ...]


class FeatureStore:
    """Store of word vectors of width e, in `cache_folder() / "features"`, to be used in a `with` statement.

    Each `put` is one transaction: if the process is killed, the next one uses what was saved until then.

    Raises:
        HsEnvError: If there is no cache folder, and from every method if the file is damaged, or cannot be opened, read
            or written.
    """

    def __init__(self, name: str, width: int) -> None:
        self.path, self.width = cache_folder() / "features" / f"{name}.sqlite", width

    def __enter__(self) -> FeatureStore:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, timeout=600)
            self._database.execute("CREATE TABLE IF NOT EXISTS features (words BLOB PRIMARY KEY, vectors BLOB)")
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def missing(self, sentences: Iterable[Words]) -> set[Words]:
        """Return the distinct sentences that have no vectors yet."""
        wanted = set(sentences)
        return {words for words in wanted if self._find(words) is None}

    def put(self, sentences: Sequence[Words], vectors: Sequence[NDArray[np.float16]]) -> None:
        """Add the vectors of sentences, (L, e) float16 each. Sentences in the store keep their vectors."""
        rows = [(_key(words), each.tobytes()) for words, each in zip(sentences, vectors, strict=True)]
        try:
            with self._database:
                self._database.executemany("INSERT OR IGNORE INTO features VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def get(self, sentences: Sequence[Words]) -> NDArray[np.float16]:
        """Return the vectors of sentences that are all in the store, (words, e) float16, concatenated."""
        vectors = np.empty((sum(map(len, sentences)), self.width), np.float16)
        start = 0
        for words in sentences:
            vectors[start : start + len(words)] = self._find(words)
            start += len(words)
        return vectors

    def _find(self, words: Words) -> NDArray[np.float16] | None:
        try:
            row = self._database.execute("SELECT vectors FROM features WHERE words = ?", (_key(words),)).fetchone()
            return None if row is None else np.frombuffer(row[0], np.float16).reshape(len(words), self.width)
        except (sqlite3.Error, ValueError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> HsEnvError:
        if isinstance(error, OSError | sqlite3.OperationalError):  # the disk is at fault, not the content
            advice = "Check its free space and permissions, or set HS_ENV_CACHE to another folder."
            return HsEnvError(f"The store of word vectors {self.path} cannot be opened or written: {error}. {advice}")
        return HsEnvError(
            f"{self.path} is not a readable store of word vectors: {error}. Delete it; it will be computed again."
        )


def _key(words: Words) -> bytes:
    return hashlib.sha256("\n".join(words).encode(errors="surrogatepass")).digest()  # from bytes that were not UTF-8
