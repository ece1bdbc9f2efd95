"""Upload a run."""

from __future__ import annotations

from typing import Any, NamedTuple

from hs_env.errors import HsEnvError
from hs_env.hub.card import make_card
from hs_env.hub.contents import CARD, MODELS, SHARED, check_private, contents, folder_of
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
        private: Whether a new repository is private; one that is there must be.
        texts: Whether evaluations keep the phrases and words of the corpus that they quote.

    Raises:
        HsEnvError: If the folder holds no finished run, a file names a folder or the user of this machine, the
            repository holds something else or is public against `private`, there is no token, or the hub refuses.
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
        there = [entry.path for entry in api.list_repo_tree(address.repo, recursive=True) if hasattr(entry, "size")]
        if (foreign := {*there} - {".gitattributes", CARD}) and not foreign & MODELS.keys():
            raise HsEnvError(
                f"{address.repo} holds {min(foreign)} and no run of hs-env. Nothing is uploaded, so that nothing of it "
                "is lost. Choose another repository."
            )
        if private and not api.model_info(address.repo).private:
            raise HsEnvError(f"{address.repo} is there already, and public. Nothing is uploaded. Choose another one.")
        operations: list[Any] = [hub.CommitOperationAdd(name, content) for name, content in files.items()]
        gone = [path for path in there if SHARED.fullmatch(path) and path not in files]
        operations += [hub.CommitOperationDelete(path) for path in gone]
        commit = api.create_commit(address.repo, operations, commit_message="Upload a run of hs-env")
    return Pushed(f"{endpoint()}/{address.repo}", commit.oid, {name: len(content) for name, content in files.items()})
