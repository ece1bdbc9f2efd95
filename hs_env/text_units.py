"""Divide the words of a sentence into characters or UTF-8 bytes, and put the text together again.

A blank between two words is a unit of its own, so that the units of a sentence are its whole text. A character is a
Unicode code point. A byte of ASCII is written as its character, any other as `<0xC3>`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

_BYTE: Final = re.compile("<0x([89A-F][0-9A-F])>")


def _bytes(text: str) -> tuple[str, ...]:
    return tuple(chr(byte) if byte < 0x80 else f"<0x{byte:02X}>" for byte in text.encode(errors="surrogatepass"))


_DIVIDE: Final[Mapping[str, Callable[[str], tuple[str, ...]]]] = MappingProxyType(
    {"characters": tuple, "bytes": _bytes}
)
UNITS: Final = ("words", *_DIVIDE)
"""Names of what a classifier can read."""


def unit_of(tokenisation: str) -> str:
    """Return the unit of a tokenisation: "characters" for `glove_characters`, "words" for `glove`."""
    return next((unit for unit in _DIVIDE if tokenisation.endswith(f"_{unit}")), "words")


def divide_words(words: Sequence[str], unit: str) -> tuple[str, ...]:
    """Divide words into units, with a blank between two words."""
    return tuple(words) if unit == "words" else _DIVIDE[unit](" ".join(words))


def to_text(units: Sequence[str], unit: str) -> str:
    """Return the text of a sentence; the inverse of `divide_words`, with blanks between words.

    Bytes in the middle of a character become U+FFFD, so that any part of a sentence has a text.
    """
    if unit != "bytes":
        return (" " if unit == "words" else "").join(units)
    codes = (_BYTE.fullmatch(each) for each in units)
    found = b"".join(
        bytes([int(code[1], 16)]) if code else each.encode() for code, each in zip(codes, units, strict=True)
    )
    try:
        return found.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return found.decode(errors="replace")
