"""Choose the files of a run that are shared, and remove from them what belongs to this machine and its user."""

from __future__ import annotations

import getpass
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from hs_env.errors import HsEnvError
from hs_env.shipped import AGENT, CLASSIFIER, LANGUAGE_MODEL, shipped_language_models, shipped_runs, warn_of_folder
from hs_env.storage import HISTORY, StrPath, load_state, read_json
from hs_env.training.folders import CONFIG

CARD: Final = "README.md"
"""Name of the model card, which the hub shows."""

MODELS: Final = {CLASSIFIER: "classifier", LANGUAGE_MODEL: "language model"}
"""Kinds of runs, by the file of their model."""

SHARED: Final = re.compile(
    r"README\.md|(config|record|data|history|evaluation-[\w.-]+)\.json"
    rf"|({re.escape(CLASSIFIER)}|{re.escape(AGENT)}|{re.escape(LANGUAGE_MODEL)})"
    r"|encoder/\w[\w.-]*\.(json|txt|model|safetensors)",
    re.ASCII,
)
"""Paths of the files that a shared run may have. Checkpoints, TensorBoard's files and other runs are left out."""

_TEXTS: Final = ("recurring", "deletions")
"""Parts of an evaluation that quote phrases and words of the corpus."""

_NAMES: Final = ("classes", *_TEXTS)
"""Parts of an evaluation that hold names of classes, words or phrases, but no paths."""

_DRIVE: Final = re.compile(r"(^|[:+,=])(?:[A-Za-z]:(?=[\\/])|file:(?=/))")
"""Drive, or scheme, at the start of an absolute path, also of one after `hf:`, `=`, `,` or `+`."""

_ABSOLUTE: Final = re.compile(r"(?:^|[:+,=])(?:~[^\\/:+,=]*[\\/]|[\\/](?![\\/])|\\\\|///)")
"""Start of an absolute path without its drive; `//` alone is that of a URL."""

_FOLDERS: Final = re.compile(r"(^|hf:|[:+,=])([^:+,=]*[\\/])")
"""Folders of each path in a text, after what comes before it."""

_REMOVE: Final = "Nothing is uploaded. Remove it from the run first."


def folder_of(run: StrPath) -> Path:
    """Return the folder of a run: `run` itself, or that of a run that ships with the package."""
    shipped, name = shipped_runs() | shipped_language_models(), os.fspath(run)
    if name in shipped:
        warn_of_folder(name, "run")
    return shipped.get(name, Path(run))


def model_of(folder: Path) -> str:
    """Return the name of the model's file in the folder of a run.

    Raises:
        HsEnvError: If there is none, and so no run.
    """
    for name in MODELS:
        if (folder / name).is_file():
            return name
    unfinished = " The run is not finished: resume it first." if (folder / CONFIG).is_file() else ""
    raise HsEnvError(f"{folder} is no finished run: it holds neither {' nor '.join(MODELS)}.{unfinished}")


def check_run(folder: Path) -> None:
    """Check that a folder holds a run, whole and undamaged. Nothing in it is executed.

    A whole run has its configuration and history; a run that ships with the package has only its models.

    Raises:
        HsEnvError: If it does not.
    """
    model = model_of(folder)
    load_state(folder / model, MODELS[model])
    if (folder / AGENT).is_file():
        load_state(folder / AGENT, "agent")
    for path in folder.rglob("*.json"):
        read_json(path)
    if (folder / CONFIG).is_file():
        field = "corpus" if model == CLASSIFIER else "text"
        config = read_json(folder / CONFIG)
        if not isinstance(config, dict) or field not in config:
            raise HsEnvError(f"{folder / CONFIG} is not the configuration of a run of a {MODELS[model]}.")
        if not (folder / HISTORY).is_file():
            raise HsEnvError(f"{folder} is no finished run: it has no {HISTORY}.")


def contents(folder: Path, texts: bool = False) -> dict[str, bytes]:
    """Return the shared files of a run, by their path in its folder, without its card.

    In JSON files an absolute path becomes the name of its file, and the folder of the data is left out.

    Args:
        folder: Folder of a finished run.
        texts: Whether evaluations keep the phrases and words of the corpus that they quote.

    Raises:
        HsEnvError: If the folder holds no finished run, or a link.
    """
    check_run(folder)
    found = {}
    for path in sorted([*folder.iterdir(), *(folder / "encoder").glob("*")]):
        name = path.relative_to(folder).as_posix()
        if not SHARED.fullmatch(name) or name == CARD:
            continue
        if path.is_symlink() or path.parent.is_symlink():
            raise HsEnvError(f"{path} is a link. Replace it by the file that it points to.")
        if path.suffix == ".json":
            value = without_paths(read_json(path))
            if name.startswith("evaluation-") and not texts and isinstance(value, dict):
                value = {key: entry for key, entry in value.items() if key not in _TEXTS}
            found[name] = (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode(errors="backslashreplace")
        else:
            found[name] = path.read_bytes()
    return found


def without_paths(value: Any) -> Any:
    """Return JSON values in which every absolute path is the name of its file, and `data_dir` is None.

    Names of classes, and words and phrases of the corpus, stay as they are, for they may look like paths.
    """
    if isinstance(value, dict):
        kept = {"data_dir": None} | {key: value[key] for key in _NAMES if key in value}
        return {key: kept[key] if key in kept else without_paths(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [without_paths(entry) for entry in value]
    if not isinstance(value, str) or not _ABSOLUTE.search(bare := _DRIVE.sub(r"\1", value)):
        return value
    return _FOLDERS.sub(lambda found: found[0] if _is_on_hub(*found.groups()) else found[1], bare)


def _is_on_hub(before: str, folders: str) -> bool:
    """Return whether folders are the owner in `hf:owner/name`, rather than folders of this machine."""
    return before == "hf:" and folders[0] not in "~\\/"


def check_private(files: dict[str, bytes], token: str | None) -> None:
    """Check that no file to share names a folder of this machine, its user or the token of the hub.

    Raises:
        HsEnvError: If one does; the message names the file and what it holds, but not the token.
    """
    for name, content in files.items():
        weights = name.endswith(".safetensors")
        header = content[8 : 8 + int.from_bytes(content[:8], "little")] if weights else content
        if token and token.encode() in content:
            raise HsEnvError(f"{name} holds the token of the hub. {_REMOVE}")
        for what, secret in _personal():
            if secret.encode() in header:
                raise HsEnvError(f"{name} holds {what}. {_REMOVE}")
        if weights and re.search(rb'"hf:(?:[\\/~]|[A-Za-z]:)', header.replace(b'\\"', b'"')):
            raise HsEnvError(
                f"{name} names an encoder in a folder of this machine, which others do not have. Train with an encoder "
                "of the hub, or fine-tune it (--encoder-rate), so that the run holds it."
            )


def _personal() -> Iterator[tuple[str, str]]:
    """Yield texts that no shared file may hold, each after what it is."""
    with suppress(RuntimeError):
        home = Path.home()
        if len(home.parts) > 1:
            yield "the path of your home folder", str(home)
    with suppress(KeyError, OSError):
        user = getpass.getuser()
        for sign in "/\\":
            yield "a path with your user name", f"{sign}{user}{sign}"
