"""Digests of a run's data, saved with the run. Each command compares them with its data and reports a difference."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from hs_env.corpora import Corpus
from hs_env.errors import HsEnvError
from hs_env.storage import read_json
from hs_env.vectors import WordVectors

DATA: Final = "data.json"
"""Name of the file of digests in the folder of a run."""

_COLUMNS: Final = "columns"
"""Name of the digest of the columns for rewards."""
_WORDS: Final = {
    "sentences": "sentences",
    "labels": "labels",
    "splits": "splits or another order of its sentences",
    _COLUMNS: "values in its columns for rewards",
}
"""What has changed if a digest differs, by its name, for messages. A text's digests have the names of its parts."""
_ALL: Final = "all"
"""Name of the digest of everything in order."""

VECTORS: Final = "vectors"
"""Name of the digest of the initial word vectors."""


_LATER: Final = {VECTORS, _COLUMNS}
"""Digests that older runs do not have."""


def corpus_digests(corpus: Corpus) -> dict[str, str]:
    """Return digests of a corpus by name.

    `all` covers sentences, labels, gold actions and splits in order. `sentences` ignores order, labels and splits,
    `labels` ignores order and splits, and `splits` ignores labels; they tell what has changed. `columns`, which only a
    corpus with columns for rewards has, covers these.
    """
    rows = [
        (split, "\0".join(each.words), corpus.labels[each.label], each.gold_actions)
        for split, sentences in corpus.splits.items()
        for each in sentences
    ]
    columns = [repr(each.columns) for sentences in corpus.splits.values() for each in sentences if each.columns]
    return ({_COLUMNS: _digest(columns)} if columns else {}) | {
        _ALL: _digest((repr(corpus.labels), *map(repr, rows))),
        "sentences": _digest(sorted(words for _, words, _, _ in rows)),
        "labels": _digest((repr(corpus.labels), *sorted(f"{words}\0{label}" for _, words, label, _ in rows))),
        "splits": _digest(f"{split}\0{words}" for split, words, _, _ in rows),
    }


def text_digests(parts: Mapping[str, str]) -> dict[str, str]:
    """Return the digest of each part of a text, by name."""
    return {name: _digest([part]) for name, part in parts.items()}


def vector_digest(vectors: WordVectors) -> str:
    """Return the digest of the word vectors of a vocabulary."""
    return hashlib.sha256(vectors.matrix.data).hexdigest()


def _digest(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode(errors="surrogatepass") + b"\n")
    return digest.hexdigest()


def check_data(folder: Path, name: str, found: Mapping[str, str], rewards: bool = False) -> None:
    """Check that data is what the run in a folder was started with. Runs without digests pass with a warning.

    Args:
        folder: Folder of the run.
        name: Name of the data, for the message, such as "corpus 'phrases'".
        found: Digests of the data as it is now.
        rewards: Whether columns for rewards must be the same, too.

    Raises:
        HsEnvError: If the data has changed, or the digests are damaged; the message says what, and what to do.
    """
    path = folder / DATA
    if not path.exists() and not path.is_symlink():
        warnings.warn(
            f"{folder} has no {DATA}, as runs of old versions have none. So it is not known whether the {name} is that "
            "of the training.",
            stacklevel=2,
        )
        return
    saved = read_json(path)
    whole = isinstance(saved, dict) and found.keys() - _LATER <= saved.keys()
    if not whole or not all(isinstance(digest, str) for digest in saved.values()):
        raise HsEnvError(f"{path} does not hold the digests of the data of a run. Was it edited?")
    check_digests(saved, found, name, f"the run in {folder}", rewards)


def check_digests(
    saved: Mapping[str, str], found: Mapping[str, str], name: str, owner: str, rewards: bool = False
) -> None:
    """Check that data is what a run was started with.

    Args:
        saved: Digests of the data of the run.
        found: Digests of the data as it is now.
        name: Name of the data, for the message, such as "corpus 'phrases'".
        owner: Name of the run, for the message.
        rewards: Whether columns for rewards must be the same, too.

    Raises:
        HsEnvError: If the data has changed, or digests are missing; the message says what, and what to do.
    """
    needed = found.keys() - _LATER
    if not needed <= saved.keys():
        raise HsEnvError(f"The digests of the data of {owner} are not complete. Were they edited?")
    changed = [key for key in found if key in needed and key != _ALL and found[key] != saved[key]]
    changed += [_COLUMNS] if rewards and found.get(_COLUMNS) != saved.get(_COLUMNS, found.get(_COLUMNS)) else []
    if "sentences" in changed:
        changed = ["sentences"]  # then labels and splits differ too
    if not changed and _ALL in found and found[_ALL] != saved[_ALL]:
        changed = ["labels of equal sentences, or other gold actions"]
    if changed:
        other = " and other ".join(_WORDS.get(key, f"text in its part {key!r}") for key in changed)
        raise HsEnvError(
            f"The {name} has changed since {owner} began: it has other {other}. Restore it as it was, or train a new "
            "run."
        )
    if VECTORS in found and saved.get(VECTORS, found[VECTORS]) != found[VECTORS]:
        raise HsEnvError(
            f"The word vectors have changed since {owner} began. Restore their file as it was, or train a new run."
        )
