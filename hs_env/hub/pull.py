"""Download a shared run."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from rich.console import Console

from hs_env.errors import HsEnvError, path_text
from hs_env.hub.contents import MODELS, SHARED, check_run
from hs_env.hub.hugging_face import PREFIX, Address, client, endpoint, explained, library
from hs_env.storage import StrPath
from hs_env.vectors.cache import cache_folder

_LARGEST: Final = 2**31
"""Largest size of all files of a shared run together, bytes."""
_MOST: Final = 1000
"""Largest number of entries of a repository that are listed."""
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def pull(name: str, out: StrPath) -> Path:
    """Download a run into a new folder, which appears only when it is whole.

    Only files that a run has are downloaded (`SHARED`). They are checked, and nothing in them is executed.

    Args:
        name: `owner/name` or `owner/name@revision`, where the revision is a branch, a tag or a commit.
        out: Folder of the run, which must not exist yet or be empty.

    Returns:
        The folder.

    Raises:
        HsEnvError: If the repository cannot be read or holds no run, it is too large, or the folder is not empty.
    """
    address, out = Address.parse(name), Path(out)
    _check_free(out)
    return _download(address.repo, _commit(address), out)


def local(name: StrPath) -> StrPath:
    """Return the folder of a run on the hub, `hf:owner/name@revision`, which is downloaded once; other names as is.

    Runs are kept in the cache folder of hs-env, one folder per commit. With a whole commit as revision, a run that is
    there needs no network.

    Raises:
        HsEnvError: See `pull`.
    """
    text = path_text(name, "A run or classifier")
    if not text.startswith(PREFIX):
        return name
    address = Address.parse(text)
    home = cache_folder() / "hub" / address.repo.replace("/", "--")
    if address.revision and _COMMIT.fullmatch(address.revision) and (home / address.revision).is_dir():
        return home / address.revision
    commit = _commit(address)
    if not _COMMIT.fullmatch(commit):
        raise HsEnvError(f"The hub at {endpoint()} names no commit of {address.repo}.")
    if not (home / commit).is_dir():
        with suppress(FileExistsError):  # another process has downloaded it meanwhile
            _download(address.repo, commit, home / commit)
    return home / commit


def _commit(address: Address) -> str:
    """Return the commit of an address. Says first what is asked: without a network the library tries for long."""
    Console(stderr=True).print(f"Asking {endpoint()} for {address.repo}", markup=False, highlight=False, soft_wrap=True)
    with explained(address):
        return str(client().model_info(address.repo, revision=address.revision).sha)


def _check_free(out: Path) -> None:
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise HsEnvError(f"{out} exists already. Choose another folder (--out).")


def _download(repo: str, commit: str, out: Path) -> Path:
    """Download the files of a commit next to `out`, check them, and move them there in one step."""
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{uuid4().hex}.tmp")
    try:
        with explained(Address(repo, commit)):
            for file in _listed(repo, commit):
                path = library().hf_hub_download(
                    repo, file.path, revision=commit, local_dir=temporary, endpoint=endpoint()
                )
                if Path(path).stat().st_size != file.size:
                    raise HsEnvError(f"{file.path} of {repo} has another size than the hub says. Try again.")
        shutil.rmtree(temporary / ".cache", ignore_errors=True)  # where the library notes what it has downloaded
        try:
            check_run(temporary)
        except HsEnvError as error:
            raise HsEnvError(f"{repo} is no run of hs-env. {str(error).replace(str(temporary), repo)}") from error
        if out.is_dir():
            out.rmdir()
        try:
            temporary.rename(out)
        except OSError as error:
            raise FileExistsError(error.errno, f"{out} has been made meanwhile") if out.exists() else error from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out


def _listed(repo: str, commit: str) -> list[Any]:
    """Return the entries of the files to download, with `path` and `size`.

    Raises:
        HsEnvError: If the repository holds no model of hs-env, or too much.
    """
    entries = [*islice(client().list_repo_tree(repo, revision=commit, recursive=True), _MOST + 1)]
    if len(entries) > _MOST:
        raise HsEnvError(f"{repo} is no run of hs-env: it has more than {_MOST:,} files and folders.")
    files = [each for each in entries if hasattr(each, "size") and SHARED.fullmatch(each.path)]
    if not any(file.path in MODELS for file in files):
        raise HsEnvError(f"{repo} is no run of hs-env: it holds neither {' nor '.join(MODELS)}.")
    if (size := sum(file.size for file in files)) > _LARGEST:
        raise HsEnvError(f"The run {repo} has {size:,} bytes; at most {_LARGEST:,} are downloaded.")
    return files
