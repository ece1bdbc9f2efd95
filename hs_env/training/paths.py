"""Make the paths in a configuration absolute, so that its run can be read from any working directory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from hs_env.corpora.layouts import split_files
from hs_env.corpora.spec import divide
from hs_env.errors import expand
from hs_env.registry import stem_of
from hs_env.storage import exists
from hs_env.vectors.contextual import PREFIX
from hs_env.vectors.static import divide_sources, find_source


def absolute(path: str | Path) -> str:
    """Return an absolute path. Links are kept, and `~` is the home folder."""
    return os.path.abspath(expand(path))


def located(name: str, registered: Iterable[str]) -> str:
    """Return the name of a corpus or text; if it is the path of a file, a folder or files of splits, the absolute one.

    Args:
        name: Registered name, `hf:NAME`, or path, perhaps followed by `:` and settings.
        registered: Versioned names, which take precedence over files.
    """
    path, settings = divide(name)
    first = name.partition(":")[0]
    named = {*registered, *(stem_of(full) for full in registered)}
    there = exists(path) or split_files(path)
    if name.startswith(PREFIX) or not there or (first in named and "/" not in name and os.sep not in name):
        return name
    return f"{absolute(path)}:{settings}" if settings else absolute(path)


def located_vectors(spec: str, data_dir: Path | None) -> str:
    """Return the name of word vectors with absolute paths of the files and folders in it.

    A file is looked for where `load_vectors` looks: in the working directory, then in `data_dir`.
    """
    if spec.startswith(PREFIX):
        model, at, layer = spec.removeprefix(PREFIX).rpartition("@")
        if not at or expand(spec.removeprefix(PREFIX)).is_dir():
            model, at, layer = spec.removeprefix(PREFIX), "", ""
        return f"{PREFIX}{absolute(model)}{at}{layer}" if expand(model).is_dir() else spec
    folder = None if data_dir is None else expand(data_dir)

    def place(source: str) -> str:
        found = find_source(source, folder)
        return source if found is None else absolute(found)

    return "+".join(",".join(map(place, part)) for part in divide_sources(spec, folder))
