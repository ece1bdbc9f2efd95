"""Load a corpus once per process, as long as its files do not change."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from hs_env.corpora.corpus import CORPORA, Corpus
from hs_env.corpora.loading import corpus_files, is_path, load_corpus
from hs_env.errors import HsEnvError, expand

Stamp: TypeAlias = tuple[tuple[str, int, int], ...]
"""Names, times and sizes of files."""
CorpusKey: TypeAlias = tuple[str, Path | None, Stamp]
"""Name of a corpus with its settings, folder of the data sets, and stamp of the files that it may be read from."""


def stamp(files: Iterable[Path]) -> Stamp:
    """Return names, times and sizes of files, to detect changes; without missing files."""
    found = [(str(file.resolve()), file.stat()) for file in files if file.exists()]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)


def corpus_key(name: str, data_dir: str | Path | None = None) -> CorpusKey:
    """Return what `cached_corpus` knows a corpus by. It changes with the files of the corpus."""
    folder = None if data_dir is None else expand(data_dir).resolve()
    return name, folder, stamp(corpus_files(name, folder))


@lru_cache(maxsize=8)
def cached_corpus(key: CorpusKey) -> Corpus:
    """Return `load_corpus(key[0], data_dir=key[1])`, which is read only, from memory if it was loaded before."""
    return load_corpus(key[0], data_dir=key[1])


def read_corpus(name: str, data_dir: str | Path | None = None) -> Corpus:
    """Return `load_corpus(name, data_dir=data_dir)`, from memory if the corpus is known not to have changed.

    That is known of files and of the corpora of this package, but not of the hub's and of plug-ins.
    """
    if is_path(name) or _is_of_this_package(name):
        return cached_corpus(corpus_key(name, data_dir))
    return load_corpus(name, data_dir=data_dir)


def _is_of_this_package(name: str) -> bool:
    try:
        builder = CORPORA.get(name.partition(":")[0])
    except HsEnvError:  # `load_corpus` says what is wrong
        return False
    return getattr(builder, "__module__", "").startswith("hs_env.")
