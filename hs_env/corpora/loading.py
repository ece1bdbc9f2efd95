"""Load any corpus by its name: a registered one, one in files, or a data set of the Hugging Face hub."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hs_env.corpora import (  # noqa: F401 - importing registers their corpora
    listops,
    listops_files,
    movie_reviews,
    phrases,
    phrases_deep,
    propositions,
    published,
)
from hs_env.corpora.corpus import CORPORA, Corpus
from hs_env.corpora.files import DATA_SUFFIXES
from hs_env.corpora.hugging_face import corpus_from_hugging_face
from hs_env.corpora.layouts import corpus_from_path, split_files
from hs_env.corpora.spec import RowFormat, divide, parse_settings, take_settings, whole_number
from hs_env.corpora.variants import SETTINGS, Variant
from hs_env.errors import HsEnvError, expand, shown
from hs_env.registry import stem_of
from hs_env.storage import exists


def load_corpus(
    name: str | os.PathLike[str],
    *,
    data_dir: str | Path | None = None,
    fold: int | None = None,
    seed: int = 0,
    sizes: Mapping[str, int] | None = None,
    text: str | int | None = None,
    label: str | int | None = None,
    names: Sequence[str] = (),
    skip_bad_rows: bool = False,
    encoding: str = "utf-8",
    tokenisation: str = "words",
    noise: float = 0.0,
    noise_seed: int = 0,
    first: float = 1.0,
    kept: float = 1.0,
) -> Corpus:
    """Load a corpus.

    Args:
        name: One of three: a registered name, optionally with settings (`movie_reviews`, `mr:fold=4`,
            `phrases:seed=3,train=2000`); `hf:NAME`, a data set of the Hugging Face hub; the path of a file or folder.
            The last two take the settings `fold`, `text`, `label`, `names`, `skip_bad_rows` and `encoding`, which are
            equal to the arguments: `./cr:fold=1`, `reviews.csv:text=review,label=stars,names=bad|fair|good`.
            `./TREC.{split}.all` names the files of the splits.
            All three take `tokenisation`, `noise`, `noise_seed`, `first` and `kept`:
            `movie_reviews:tokenisation=characters,noise=0.1`.
        data_dir: Folder that holds `mr/`, `subj/` and so on, as `hs-env prepare` makes it. Other corpora ignore it.
        fold: Test fold, from 0, of a corpus with folds. Default: fold 0 of every built-in corpus. A single file of your
            own has ten folds if you name one.
        seed: Seed of a generated corpus; other corpora ignore it.
        sizes: Number of sentences of "train", "dev" and "test" in a generated corpus. Default: chosen by the corpus.
        text: Column of texts in your own files, or its number in files without a header. Default: "text".
        label: Column of labels, likewise. Default: "label".
        names: Names of the classes, in the order of their labels. Default: the labels themselves.
        skip_bad_rows: Whether rows of your own files with a fault are left out, with a warning that counts them.
        encoding: Encoding of your own text files, such as "latin-1".
        tokenisation: What the words of a sentence become: "words", "characters" or "bytes" (see `divided`).
        noise: Probability of a typo in a word, 0 to 1, in all splits (see `noisy`).
        noise_seed: Seed of the typos.
        first: Share of the words of each sentence that stay, from its beginning (see `beginnings`).
        kept: Share of the words of each sentence that stay, drawn at random (see `thinned`).

    Raises:
        HsEnvError: If there is no such corpus, a file is missing or broken, or the corpus has no such setting or fold.
    """
    if not isinstance(name, str | os.PathLike):
        raise HsEnvError(f"A corpus is a name or a path, got {shown(name)}.")
    if not isinstance(fold, int | np.integer | None) or isinstance(fold, bool):
        raise HsEnvError(f"The fold must be a whole number from 0, or None, got {shown(fold)}.")
    for column in (text, label):
        if not isinstance(column, str | int | np.integer | None) or isinstance(column, bool):
            raise HsEnvError(f"A column is a name, or a number from 1, got {shown(column)}.")
    given = {key: str(value) for key, value in {"text": text, "label": label}.items() if value is not None}
    chosen = RowFormat(**given, names=tuple(names), skip_bad_rows=skip_bad_rows, encoding=encoding).to_settings()
    variant = Variant(tokenisation, noise, noise_seed, first, kept).to_settings()
    if isinstance(name, str):
        name, own = take_settings(name, SETTINGS)
        variant |= own
    corpus = _load_words(name, chosen, data_dir=data_dir, fold=fold, seed=seed, sizes=sizes)
    return Variant.from_settings(os.fspath(name), variant).of(corpus)


def _load_words(
    name: str | os.PathLike[str],
    chosen: dict[str, str],
    *,
    data_dir: str | Path | None,
    fold: int | None,
    seed: int,
    sizes: Mapping[str, int] | None,
) -> Corpus:
    """Load a corpus as words; `chosen` are the settings of a `RowFormat`, for the others see `load_corpus`."""
    spec = os.fspath(name)
    stem, _, rest = spec.partition(":")
    if not isinstance(name, str):
        _reject_sizes(spec, sizes)
        return corpus_from_path(expand(name), fold=fold, row_format=RowFormat.from_settings(spec, chosen))
    if stem == "hf":
        _reject_sizes(name, sizes)
        return _from_hugging_face(rest, fold, chosen)
    if is_path(name):
        _reject_sizes(name, sizes)
        path, rest = divide(name)
        if not exists(path):
            _check_colon(name)
        own = chosen | parse_settings(name, rest)
        if "fold" in own:
            fold = whole_number(name, "fold", own.pop("fold"))
        return corpus_from_path(path, fold=fold, row_format=RowFormat.from_settings(str(path), own))

    if stem not in _names():
        _check_colon(name)
    builder = CORPORA.get(stem)
    if not callable(builder):
        raise HsEnvError(f"The corpus {stem!r} is registered as {shown(builder)}, expected a function that returns it.")
    known = inspect.signature(builder).parameters
    named = parse_settings(name, rest)
    settings: dict[str, Any] = {**(sizes or {}), **({} if fold is None else {"fold": fold}), **chosen, **named}
    if strange := sorted(settings.keys() - known):
        has = ", ".join(key for key in known if key != "data_dir") or "none"
        raise HsEnvError(f"The corpus {stem!r} has no setting {strange[0]!r}; its settings: {has}.")
    settings |= {key: whole_number(name, key, value) for key, value in named.items()}
    context = {"seed": seed, "data_dir": None if data_dir is None else expand(data_dir)}
    built: object = builder(**{key: value for key, value in context.items() if key in known} | settings)
    if not isinstance(built, Corpus):
        raise HsEnvError(f"The function of the corpus {stem!r} must return a Corpus, got {shown(built)}.")
    return built


def _check_colon(name: str) -> None:
    """Refuse the path of a file with a colon and something that is no setting after it."""
    file, colon, after = name.rpartition(":")
    if colon and exists(file):
        example = "'reviews.csv:text=review,label=stars'"
        raise HsEnvError(f"{name!r}: expected settings such as {example} after the colon, got {after!r}.")


def corpus_files(name: str, data_dir: Path | None = None) -> list[Path]:
    """Return the existing files that a corpus may be read from; other files may be among them.

    They are the file, the folder or the files of splits that `name` is the path of, or for a built-in corpus the files
    in the folders of `data_dir`.
    """
    if is_path(name):
        path, _ = divide(name)
        found: Iterable[Path] = path.iterdir() if path.is_dir() else split_files(path).values() or [path]
    else:
        found = [] if data_dir is None else data_dir.glob("*/*")
    return sorted(file for file in found if file.is_file())


def is_own(name: str) -> bool:
    """Return whether the name of a corpus means the user's own data, which may change: files, or a set of the hub."""
    return is_path(name) or name.startswith("hf:")


def is_path(name: str) -> bool:
    """Return whether the name of a corpus is the path of the user's own files, perhaps with settings."""
    path, _ = divide(name)
    if "/" in name or "\\" in name or path.name.lower().endswith(DATA_SUFFIXES):
        return True
    return name.partition(":")[0] not in _names() and exists(path)


def _names() -> set[str]:
    """Return the names of the corpora, with and without version."""
    return {*CORPORA, *(stem_of(versioned) for versioned in CORPORA)}


def _from_hugging_face(spec: str, fold: int | None, chosen: Mapping[str, str]) -> Corpus:
    """Load `NAME` or `NAME:text=review,label=stars` from the hub."""
    name, _, rest = spec.partition(":")
    settings = {**chosen, **parse_settings(f"hf:{spec}", rest)}
    if fold is not None or "fold" in settings:
        raise HsEnvError(f"The corpus 'hf:{name}' has no folds, got fold {settings.get('fold', fold)}.")
    return corpus_from_hugging_face(name, RowFormat.from_settings(f"hf:{name}", settings))


def _reject_sizes(name: str, sizes: Mapping[str, int] | None) -> None:
    if sizes:
        raise HsEnvError(f"The sizes of {name!r} cannot be chosen, only those of a generated corpus such as 'phrases'.")
