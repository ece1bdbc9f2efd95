"""The command `hs-env hub`, with the subcommands `card`, `push` and `pull`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import tyro


def card(run: tyro.conf.Positional[str], repo: str | None = None) -> None:
    """Print the model card of a run.

    Args:
        run: Folder of a finished run, or name of a run that ships with the package.
        repo: Repository of the run, owner/name; without it the card has a placeholder.
    """
    from hs_env import hub

    print(hub.make_card(run, repo), end="")


def push(
    run: tyro.conf.Positional[str], repo: tyro.conf.Positional[str], private: bool = False, texts: bool = False
) -> None:
    """Upload a run with its model card, as one commit.

    The token is that of `hf auth login` or of HF_TOKEN. Checkpoints, curves and absolute paths stay here.

    Args:
        run: Folder of a finished run, or name of a run that ships with the package.
        repo: Repository, owner/name; it is made if there is none.
        private: Make a new repository private.
        texts: Also upload the phrases and words of the corpus that evaluations quote.
    """
    from hs_env import hub

    pushed = hub.push(run, repo, private, texts)
    for name, size in pushed.sizes.items():
        print(f"{size:>12,}  {name}")
    print(f"The run is at {pushed.url}, commit {pushed.commit}")


def pull(repo: tyro.conf.Positional[str], out: Path) -> None:
    """Download a run into a new folder.

    Args:
        repo: Repository, owner/name, or owner/name@REVISION with a branch, a tag or a commit.
        out: Folder of the run, which must not exist yet or be empty.
    """
    from hs_env import hub

    print(f"The run is in {hub.pull(repo, out)}")


COMMANDS: Final[dict[str, Callable[..., None]]] = {"card": card, "push": push, "pull": pull}
"""The subcommands of `hs-env hub`."""
