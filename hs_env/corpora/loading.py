"""Load any corpus by its name: a registered one, one in files, or a data set of the Hugging Face hub."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from hs_env.corpora import (  # noqa: F401 - importing registers their corpora
    listops,
    listops_files,
    movie_reviews,
    phrases,
    phrases_deep,
    published,
)
from hs_env.corpora.corpus import CORPORA, Corpus
from hs_env.corpora.files import DATA_SUFFIXES
from hs_env.corpora.hugging_face import corpus_from_hugging_face
from hs_env.corpora.layouts import corpus_from_path
from hs_env.errors import HsEnvError, shown
from hs_env.storage import exists

_PATH: Final = re.compile(r"(?P<path>.+?):(?P<settings>[a-z_]+=[^/\\]*)", re.DOTALL)
_SETTING: Final = re.compile(r"\s*(?P<key>[a-z_]+)\s*=\s*(?P<value>[0-9]{1,15})\s*")


def load_corpus(
    name: str | os.PathLike[str],
    *,
    data_dir: str | Path | None = None,
    fold: int | None = None,
    seed: int = 0,
    sizes: Mapping[str, int] | None = None,
) -> Corpus:
    """Load a corpus.

    Args:
        name: One of three: a registered name, optionally with settings (`movie_reviews`, `mr:fold=4`,
            `phrases:seed=3,train=2000`); `hf:NAME`, a data set of the Hugging Face hub; the path of a file or folder,
            optionally with a fold (`./cr:fold=1`).
        data_dir: Folder that holds `mr/`, `subj/`, `sst/` and `ag_news/`. Other built-in corpora ignore it.
        fold: Test fold, from 0, of a corpus with folds. Default: fold 0 of every built-in corpus.
        seed: Seed of a generated corpus; other corpora ignore it.
        sizes: Number of sentences of "train", "dev" and "test" in a generated corpus. Default: chosen by the corpus.

    Raises:
        HsEnvError: If there is no such corpus, a file is missing or broken, or the corpus has no such setting or fold.
    """
    if not isinstance(name, str | os.PathLike):
        raise HsEnvError(f"A corpus is a name or a path, got {shown(name)}.")
    if not isinstance(fold, int | np.integer | None) or isinstance(fold, bool):
        raise HsEnvError(f"The fold must be a whole number from 0, or None, got {shown(fold)}.")
    stem, _, text = os.fspath(name).partition(":")
    if not isinstance(name, str):
        _reject_settings(str(name), None, sizes)
        return corpus_from_path(Path(name).expanduser(), fold=fold)
    if stem == "hf":
        _reject_settings(name, fold, sizes)
        return corpus_from_hugging_face(text)
    if _is_path(name):
        _reject_settings(name, None, sizes)
        path, text = _divide(name)
        settings = _parse_settings(name, text)
        if strange := sorted(settings.keys() - {"fold"}):
            raise HsEnvError(f"The corpus {str(path)!r} has no setting {strange[0]!r}; its settings: fold.")
        return corpus_from_path(path, fold=settings.get("fold", fold))

    builder = CORPORA.get(stem)
    known = inspect.signature(builder).parameters
    settings = {**(sizes or {}), **({} if fold is None else {"fold": fold}), **_parse_settings(name, text)}
    if strange := sorted(settings.keys() - known):
        has = ", ".join(key for key in known if key != "data_dir") or "none"
        raise HsEnvError(f"The corpus {stem!r} has no setting {strange[0]!r}; its settings: {has}.")
    context = {"seed": seed, "data_dir": None if data_dir is None else Path(data_dir).expanduser()}
    return builder(**{key: value for key, value in context.items() if key in known} | settings)


def corpus_files(name: str, data_dir: Path | None = None) -> list[Path]:
    """Return the existing files that a corpus may be read from; other files may be among them.

    They are the file or the folder that `name` is the path of, or for a built-in corpus the files in the folders of
    `data_dir`.
    """
    if _is_path(name):
        path, _ = _divide(name)
        found: Iterable[Path] = path.iterdir() if path.is_dir() else [path]
    else:
        found = [] if data_dir is None else data_dir.glob("*/*")
    return sorted(file for file in found if file.is_file())


def _is_path(name: str) -> bool:
    path, _ = _divide(name)
    if "/" in name or "\\" in name or path.name.lower().endswith(DATA_SUFFIXES):
        return True
    registered = {versioned.rpartition(".v")[0] for versioned in CORPORA}
    return name.partition(":")[0] not in {*CORPORA, *registered} and exists(path)


def _divide(name: str) -> tuple[Path, str]:
    """Divide `PATH:fold=1` into the path and the settings, unless there is a file or folder with this whole name."""
    path, match = _to_path(name), _PATH.fullmatch(name)
    return (path, "") if match is None or exists(path) else (_to_path(match["path"]), match["settings"])


def _to_path(name: str) -> Path:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:  # in a locale of ASCII; names of files are nevertheless UTF-8
        with suppress(UnicodeEncodeError):
            name = os.fsdecode(name.encode("utf-8", "surrogateescape"))
    return Path(name).expanduser()


def _reject_settings(name: str, fold: int | None, sizes: Mapping[str, int] | None) -> None:
    if fold is not None:
        raise HsEnvError(f"The corpus {name!r} has no folds, got fold {fold}.")
    if sizes:
        raise HsEnvError(f"The sizes of {name!r} cannot be chosen, only those of a generated corpus such as 'phrases'.")


def _parse_settings(name: str, text: str) -> dict[str, int]:
    settings: dict[str, int] = {}
    for item in filter(None, text.split(",")):
        match = _SETTING.fullmatch(item)
        if match is None:
            raise HsEnvError(f"{name!r}: expected whole numbers such as 'phrases:seed=3,train=2000', got {item!r}.")
        settings[match["key"]] = int(match["value"])
    return settings
