"""Registries of named, versioned things: corpora, rewards, agents, models."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from hs_env.types import HsEnvError

_VERSIONED = re.compile(r"(?P<stem>[a-z][a-z0-9_]*)\.v(?P<version>[1-9][0-9]*)")


def unknown_name(kind: str, name: str, known: Iterable[str]) -> HsEnvError:
    """The error for a name that is not among `known`, with the nearest spelling."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return HsEnvError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(names) or 'none'}.")


T = TypeVar("T")


class Registry(Generic[T]):
    """Maps names such as `hs_lstm.v1` to things of one kind.

    A name without a version stands for its newest one. A version is never redefined: a change of behaviour takes a new
    number.

    Args:
        kind: What is registered, for messages: "reward", "corpus".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that registers its argument under `name`.

        Raises:
            HsEnvError: If the name is not of the form `stem.vN`, or is taken.
        """
        if not _VERSIONED.fullmatch(name):
            raise HsEnvError(f"A {self.kind} needs a versioned name such as 'my_{self.kind}.v1', got {name!r}.")
        if name in self._entries:
            raise HsEnvError(
                f"The {self.kind} {name!r} is registered already. Register a changed one as a new version."
            )

        def add(entry: T) -> T:
            self._entries[name] = entry
            return entry

        return add

    def resolve(self, name: str) -> str:
        """The full name: `name` itself, or the newest version of it.

        Raises:
            HsEnvError: If there is none, with the nearest spelling.
        """
        if name in self._entries:
            return name
        versions = [full for full in self._entries if full.rpartition(".v")[0] == name]
        if not versions:
            raise unknown_name(self.kind, name, self._entries)
        return max(versions, key=lambda full: int(full.rpartition(".v")[2]))

    def get(self, name: str) -> T:
        """The entry called `name` (see `resolve`)."""
        return self._entries[self.resolve(name)]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))
