"""Read the settings after the name of a corpus: `reviews.csv:text=review,label=stars`."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from hs_env.errors import HsEnvError, expand
from hs_env.storage import exists

_PATH: Final = re.compile(r"(?P<path>.+?):(?P<settings>[a-z_]+=[^/\\]*)", re.DOTALL)
_RESERVED: Final = re.compile(r"[%,=:/\\|\n]")
_NO_ENCODINGS: Final = ("unicode-escape", "raw-unicode-escape", "idna", "punycode")
"""Codecs of Python that are not the encoding of any text file."""
_YES: Final = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}


@dataclass(frozen=True, slots=True)
class RowFormat:
    """Where the rows of a user's files have text and label.

    In files without a header, columns are numbered: `text="2", label="1"`.

    Attributes:
        text: Name of the column of texts.
        label: Name of the column of labels.
        names: Names of the classes in the order of their labels, such as that of 1, 2, 3. Empty: the labels themselves.
        skip_bad_rows: Whether rows with a fault are left out, with a warning that counts them.
        encoding: Encoding of text files, one that extends ASCII, such as "latin-1".

    Raises:
        HsEnvError: If the columns are equal, or there is no such encoding.
    """

    text: str = "text"
    label: str = "label"
    names: tuple[str, ...] = ()
    skip_bad_rows: bool = False
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        if self.text == self.label:
            raise HsEnvError(f"The column of texts and that of labels must differ, got {self.text!r} for both.")
        if not _extends_ascii(self.encoding):
            raise HsEnvError(
                f"Expected an encoding that extends ASCII, such as utf-8, latin-1 or cp1252, got {self.encoding!r}. "
                "Convert files in other encodings to UTF-8."
            )

    @classmethod
    def from_settings(cls, corpus: str, settings: Mapping[str, str]) -> RowFormat:
        """Read the format from settings; those that are missing keep their defaults.

        Raises:
            HsEnvError: If a setting is unknown, or its value is not possible.
        """
        if strange := sorted(settings.keys() - {"text", "label", "names", "skip_bad_rows", "encoding"}):
            known = "fold, text, label, names, skip_bad_rows, encoding"
            raise HsEnvError(f"The corpus {corpus!r} has no setting {strange[0]!r}; its settings: {known}.")
        skip = yes_or_no(f"The corpus {corpus!r}", "skip_bad_rows", settings.get("skip_bad_rows", "no"))
        names = tuple(unquote(name) for name in settings["names"].split("|")) if "names" in settings else ()
        texts = {key: unquote(settings[key]) for key in ("text", "label", "encoding") if key in settings}
        return cls(**texts, names=names, skip_bad_rows=skip)

    def to_settings(self) -> dict[str, str]:
        """Return the settings that differ from the defaults; the inverse of `from_settings`."""
        settings = {
            "text": _quoted(self.text),
            "label": _quoted(self.label),
            "names": "|".join(map(_quoted, self.names)),
            "skip_bad_rows": "yes" if self.skip_bad_rows else "no",
            "encoding": _quoted(self.encoding),
        }
        default = {"text": "text", "label": "label", "names": "", "skip_bad_rows": "no", "encoding": "utf-8"}
        return {key: value for key, value in settings.items() if value != default[key]}


def _extends_ascii(encoding: str) -> bool:
    """Return whether Python has this encoding of texts, and it has the bytes of ASCII, as line ends need them."""
    ascii_bytes = bytes(range(128))
    try:
        if codecs.lookup(encoding).name.replace("_", "-") in _NO_ENCODINGS:
            return False
        return ascii_bytes.decode(encoding) == ascii_bytes.decode("ascii")
    except (LookupError, ValueError):
        return False


DEFAULT_FORMAT: Final = RowFormat()
"""Columns `text` and `label` in UTF-8; the first fault is an error."""


def _quoted(value: str) -> str:
    """Write the characters that divide settings as in a URL: `a,b` becomes `a%2Cb`."""
    return _RESERVED.sub(lambda match: f"%{ord(match[0]):02X}", value)


def divide(name: str) -> tuple[Path, str]:
    """Divide `PATH:fold=1` into the path and the settings, unless there is a file or folder with this whole name."""
    path, match = _to_path(name), _PATH.fullmatch(name)
    return (path, "") if match is None or exists(path) else (_to_path(match["path"]), match["settings"])


def _to_path(name: str) -> Path:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:  # in a locale of ASCII; names of files are nevertheless UTF-8
        with suppress(UnicodeEncodeError):
            name = os.fsdecode(name.encode("utf-8", "surrogateescape"))
    return expand(name)


def add_settings(name: str, settings: Mapping[str, str]) -> str:
    """Return the name of a corpus with further settings, after those that it has."""
    added = ",".join(f"{key}={value}" for key, value in settings.items())
    if not added:
        return name
    return f"{name}{',' if divide(name)[1] else ':'}{added}"


def take_settings(name: str, keys: Collection[str]) -> tuple[str, dict[str, str]]:
    """Take some settings out of the name of a corpus.

    Args:
        name: Name of a corpus, perhaps with settings.
        keys: Names of the settings to take.

    Returns:
        The name without these settings, and those of them that it had.

    Raises:
        HsEnvError: If a part of the settings has no value, or a key occurs twice.
    """
    text = divide(name)[1]
    found = {key: value for key, value in parse_settings(name, text).items() if key in keys}
    if not found:
        return name, {}
    rest = ",".join(item for item in text.split(",") if item.partition("=")[0].strip() not in keys)
    stem = name.removesuffix(text)
    return (f"{stem}{rest}" if rest else stem.removesuffix(":")), found


def parse_settings(name: str, text: str) -> dict[str, str]:
    """Parse `key=value,key=value`.

    Raises:
        HsEnvError: If a part has no value, or a key occurs twice.
    """
    settings: dict[str, str] = {}
    for item in filter(str.strip, text.split(",")):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not key or not equals or not value:
            raise HsEnvError(f"{name!r}: expected settings such as 'phrases:seed=3,train=2000', got {item!r}.")
        if key in settings:
            raise HsEnvError(f"{name!r}: the setting {key!r} occurs twice. Remove one.")
        settings[key] = value
    return settings


def yes_or_no(owner: str, key: str, value: str) -> bool:
    """Return the truth value of a setting.

    Raises:
        HsEnvError: If it is not yes or no.
    """
    if value.lower() not in _YES:
        raise HsEnvError(f"{owner}: {key} must be yes or no, got {value.lower()!r}.")
    return _YES[value.lower()]


def whole_number(name: str, key: str, value: str) -> int:
    """Return the number of a setting.

    Raises:
        HsEnvError: If it is not a whole number from 0.
    """
    if not (value.isascii() and value.isdecimal() and len(value) < 19):
        raise HsEnvError(f"{name!r}: expected whole numbers such as 'phrases:seed=3,train=2000', got '{key}={value}'.")
    return int(value)
