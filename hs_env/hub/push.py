"""Upload a run."""

from __future__ import annotations

from typing import Any, NamedTuple

from hs_env.errors import HsEnvError
from hs_env.hub.card import make_card
from hs_env.hub.contents import CARD, SHARED, check_private, contents, folder_of
from hs_env.hub.hugging_face import Address, client, endpoint, explained, library
from hs_env.storage import StrPath


class Pushed(NamedTuple):
    """An upload: its address, its commit, and the size in bytes of each file."""

    url: str
    commit: str
    sizes: dict[str, int]


def push(run: StrPath, repo: str, private: bool = False, texts: bool = False) -> Pushed:
    """Upload a run with its card as one commit; the repository is made if there is none.

    Only files that belong to the run are uploaded (see `contents`), without absolute paths. Files of an earlier upload
    that this run does not have are removed.

    Args:
        run: Folder of a finished run, or name of a run that ships with the package.
        repo: Repository, `owner/name`.
        private: Whether a new repository is private.
        texts: Whether evaluations keep the phrases and words of the corpus that they quote.

    Raises:
        HsEnvError: If the folder holds no finished run, a file names a folder or the user of this machine, there is no
            token, or the hub refuses.
    """
    address, folder = Address.parse(repo), folder_of(run)
    if address.revision is not None:
        raise HsEnvError(f"A run is uploaded as the newest commit. Give owner/name without @{address.revision}.")
    files = contents(folder, texts)
    files[CARD] = make_card(folder, address.repo).encode()
    hub = library()
    token = hub.get_token()
    if token is None:
        raise HsEnvError(f"An upload to {endpoint()} needs a token. Log in: hf auth login, or set HF_TOKEN.")
    check_private(files, token)
    with explained(address):
        api = client()
        api.create_repo(address.repo, private=private or None, exist_ok=True)
        operations: list[Any] = [hub.CommitOperationAdd(name, content) for name, content in files.items()]
        for entry in api.list_repo_tree(address.repo, recursive=True):
            if hasattr(entry, "size") and SHARED.fullmatch(entry.path) and entry.path not in files:
                operations.append(hub.CommitOperationDelete(entry.path))
        commit = api.create_commit(address.repo, operations, commit_message="Upload a run of hs-env")
    return Pushed(f"{endpoint()}/{address.repo}", commit.oid, {name: len(content) for name, content in files.items()})
