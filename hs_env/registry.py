"""Register corpora, rewards, agents and models under versioned names."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from hs_env.errors import HsEnvError, shown

_VERSIONED = re.compile(r"(?P<stem>[a-z][a-z0-9_]*)\.v(?P<version>0|[1-9][0-9]*)")


def unknown_name(kind: str, name: object, known: Iterable[str]) -> HsEnvError:
    """Build the error for an unknown name; the message suggests the nearest known name."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1) if isinstance(name, str) else []
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return HsEnvError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(names) or 'none'}.")


def load_reference(kind: str, reference: str) -> Any:
    """Import the object that `package.module:name` refers to; `kind` is a word for messages, such as "reward".

    Registries accept no references, because saved models and agents hold names of registries.

    Raises:
        HsEnvError: If there is no such module or name, or the module cannot be imported.
    """
    try:
        return EntryPoint(reference, reference, "").load()
    except (Exception, SystemExit) as error:  # a module may raise anything
        raise HsEnvError(
            f"The {kind} {reference!r} cannot be loaded: {type(error).__name__}: {error}. Expected package.module:name "
            "of something that can be imported here: install its package, or put its folder on PYTHONPATH."
        ) from error


def stem_of(name: str) -> str:
    """Return a versioned name without its version: `hs_lstm` for `hs_lstm.v1`; empty for a name without a version."""
    return name.rpartition(".v")[0]


def _newest(name: str, known: Collection[str]) -> str | None:
    """Return `name` if it is known, or else its newest known version, or None."""
    if name in known:
        return name
    versions = [full for full in known if _VERSIONED.fullmatch(full) and stem_of(full) == name]
    return max(versions, key=lambda full: int(full.rpartition(".v")[2]), default=None)


T = TypeVar("T")


class Registry(Generic[T]):
    """Maps names such as `hs_lstm.v1` to entries of one kind.

    A name without a version means its newest version. A version never changes: new behaviour gets a new number.

    Other distributions can add plug-ins by entry points. A registry looks them up only when a name is not registered or
    names are listed, and it imports a plug-in only when its entry is needed. So a plug-in cannot slow down, break or
    replace a registered entry.

    Args:
        kind: Kind of the entries for messages, such as "reward".
        group: Group of the entry points, whose names are versioned. Default: no plug-ins.
        own: Entries of this package that are imported when needed, as `package.module:name` by versioned name.
        first_version: Lowest version of a name.
        subclasses_of: Classes whose subclasses the entries must be; by default anything can be registered.
        instances_of: Class whose instances the entries must be.
    """

    def __init__(
        self,
        kind: str,
        group: str | None = None,
        own: Mapping[str, str] | None = None,
        first_version: int = 1,
        subclasses_of: tuple[type, ...] = (),
        instances_of: type = object,
    ) -> None:
        self.kind, self.group, self._first_version = kind, group, first_version
        self._subclasses_of, self._instances_of = subclasses_of, instances_of
        self._entries: dict[str, T] = {}
        self._own = {name: EntryPoint(name, reference, "") for name, reference in (own or {}).items()}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers its argument under a versioned name such as `my_reward.v1`.

        Raises:
            HsEnvError: If the name is not of the form `stem.vN`, or is taken, or the argument is of another kind.
        """
        if not self.is_versioned(name):
            raise HsEnvError(f"A {self.kind} needs a versioned name such as 'my_{self.kind}.v1', got {name!r}.")
        if name in self._entries or name in self._own:
            raise HsEnvError(
                f"The {self.kind} {name!r} is registered already. Register a changed one as a new version."
            )

        def add(entry: T) -> T:
            self._check(f"The {self.kind} {name!r}", entry)
            self._entries[name] = entry
            return entry

        return add

    def resolve(self, name: str) -> str:
        """Return the full name of an entry, the newest version by default; plug-ins come after all registered entries.

        Raises:
            HsEnvError: If there is no such entry; the message suggests the nearest name.
        """
        if full := _newest(name, {**self._own, **self._entries}) or _newest(name, self._plugins()):
            return full
        raise unknown_name(self.kind, name, self)

    def get(self, name: str) -> T:
        """Look up an entry by its name with or without version, and import it if it is a plug-in.

        Raises:
            HsEnvError: If there is none, or it is a plug-in that cannot be loaded; the message names its distribution.
        """
        full = self.resolve(name)
        if full in self._own and full not in self._entries:
            self._entries[full] = self._own[full].load()
        return self._entries[full] if full in self._entries else self._load(full, self._plugins()[full])

    def items(self) -> Iterator[tuple[str, T]]:
        """Yield names and entries, sorted by name. A plug-in that cannot be loaded is left out with a warning."""
        for name in self:
            try:
                yield name, self.get(name)
            except HsEnvError as error:
                warnings.warn(f"{error} It is left out.", stacklevel=2)

    def name_of(self, entry: T) -> str:
        """Return the full name of a registered object or plug-in, compared by identity.

        Raises:
            HsEnvError: If the object is not registered.
        """
        for name in (*self._entries, *self._own, *self._plugins()):
            with suppress(HsEnvError):  # another plug-in may be broken
                if self.get(name) is entry:
                    return name
        called = getattr(entry, "__name__", repr(entry))
        raise HsEnvError(
            f"The {self.kind} {called} is not registered, so no file can name it. Register it under a versioned name "
            f"such as 'my_{self.kind}.v1', by `register` or by an entry point."
        )

    def __repr__(self) -> str:
        return f"<Registry of kind {self.kind!r}: {', '.join(self)}>"

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._own or name in self._plugins()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._entries, *self._own, *self._plugins()}))

    def is_versioned(self, name: str) -> bool:
        """Return whether a name has the form `stem.vN`."""
        found = _VERSIONED.fullmatch(name)
        return found is not None and int(found["version"]) >= self._first_version

    def _plugins(self) -> dict[str, list[EntryPoint]]:
        """Look up the entry points of each name; several if distributions use the same name."""
        plugins: dict[str, list[EntryPoint]] = {}
        for point in () if self.group is None else entry_points(group=self.group):
            plugins.setdefault(point.name, []).append(point)
        return plugins

    def _load(self, name: str, points: list[EntryPoint]) -> T:
        owners = " and ".join(sorted(repr(point.dist.name) for point in points if point.dist is not None))
        where = f"The {self.kind} {name!r} of the distribution {owners}"
        if len(points) > 1:
            raise HsEnvError(f"{where} is defined more than once. Uninstall all but one of them.")
        if not self.is_versioned(name):
            raise HsEnvError(f"{where} needs a versioned name such as 'my_{self.kind}.v1'; its author must rename it.")
        try:
            entry: T = points[0].load()
        except (Exception, SystemExit) as error:  # a module may raise anything
            raise HsEnvError(
                f"{where} cannot be loaded from {points[0].value!r}: {type(error).__name__}: {error}. "
                "Repair or uninstall that distribution."
            ) from error
        self._check(where, entry)
        return entry

    def _check(self, where: str, entry: object) -> None:
        """Refuse an entry of another kind."""
        if self._subclasses_of and not (isinstance(entry, type) and issubclass(entry, self._subclasses_of)):
            names = " or ".join(each.__name__ for each in self._subclasses_of)
            raise HsEnvError(f"{where} must be a subclass of {names}, got {shown(entry)}.")
        if not isinstance(entry, self._instances_of):
            raise HsEnvError(f"{where} must be an object of {self._instances_of.__name__}, got {shown(entry)}.")
