"""Vectors of the words of sentences on disk: one SQLite file, which several processes may fill at a time."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from hs_env.errors import HsEnvError

Words = tuple[str, ...]


def cache_folder() -> Path:
    """`HS_ENV_CACHE`, or else `hs-env` in the user's cache folder."""
    if own := os.environ.get("HS_ENV_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "hs-env"


class FeatureStore:
    """What is known by name `name`: for each sentence (words, width) float16.

    Each `put` is saved as a whole, so that what a kill leaves is used by the next process.

    Args:
        name: Of the file in `cache_folder() / "features"`.
        width: Of the vectors.

    Raises:
        HsEnvError: From every method, if the file is damaged or the disk refuses.
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
        """The sentences that have no vectors yet."""
        wanted = set(sentences)
        return {words for words in wanted if self._find(words) is None}

    def put(self, sentences: Sequence[Words], vectors: Sequence[NDArray[np.float16]]) -> None:
        """Add sentences; those that have vectors keep them."""
        rows = [(_key(words), each.tobytes()) for words, each in zip(sentences, vectors, strict=True)]
        try:
            with self._database:
                self._database.executemany("INSERT OR IGNORE INTO features VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def get(self, sentences: Sequence[Words]) -> NDArray[np.float16]:
        """(W, width): the vectors of all words of sentences that are not missing, one after the other."""
        made = np.empty((sum(map(len, sentences)), self.width), np.float16)
        start = 0
        for words in sentences:
            made[start : start + len(words)] = self._find(words)
            start += len(words)
        return made

    def _find(self, words: Words) -> NDArray[np.float16] | None:
        try:
            row = self._database.execute("SELECT vectors FROM features WHERE words = ?", (_key(words),)).fetchone()
            return None if row is None else np.frombuffer(row[0], np.float16).reshape(len(words), self.width)
        except (sqlite3.Error, ValueError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> HsEnvError:
        if isinstance(error, OSError | sqlite3.OperationalError):  # the disk, not what is on it
            advice = "Is there room, and may it be written? HS_ENV_CACHE is the folder to keep such stores in."
            return HsEnvError(f"The store of word vectors {self.path} cannot be opened or added to: {error}. {advice}")
        return HsEnvError(f"{self.path} is not a readable store of word vectors: {error}. Delete it to make it again.")


def _key(words: Words) -> bytes:
    return hashlib.sha256("\n".join(words).encode(errors="surrogatepass")).digest()  # of bytes that were no UTF-8
