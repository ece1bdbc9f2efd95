"""Damage bytes and JSON values at random, and read them within bounds of time."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, Final

import torch

STRANGE: Final[list[Any]] = [
    None, True, -1, 0, 1, 2.5, 10**9, 10**30, -(10**400), float("nan"), float("inf"), "", "x", "\0", "é\ud800",
    "../../x", [], [[]], {}, {"a": {"b": [1]}}, ["x"] * 3, [[[[[[[[[[]]]]]]]]]],
]  # fmt: skip
"""Values that take the place of others."""

_PIECES: Final = [
    b"\0", b"\n", b"\r", b"\r\n", b"\t", b",", b";", b'"', b"'", b" ", b":", b"\\", b"{", b"]", b"(", b"[" * 3000,
    b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xcc\x81", b"\xf0\x9f\x92\xa9", b"nan", b"1e999",
    b"-1", b"0", b"9" * 5000, b"1" * 20, b"null", b"true", b"\x1f\x8b", b"PK\x03\x04", b"e", b".", b"#", b"a" * 9000,
]  # fmt: skip
"""Bytes that are put into files: signs with a meaning in some format, in UTF-8 or not, and numbers out of range."""


class TooSlowError(Exception):
    """Raised when reading takes longer than it may."""


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Interrupt what takes more processor time, which does not depend on other work of the machine."""

    def stop(*_: object) -> None:
        raise TooSlowError(f"longer than {seconds} s")

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def damaged(content: bytes, dice: Random) -> tuple[bytes, str]:
    """Return damaged bytes, and what was done."""
    place = dice.randrange(min(len(content), dice.choice([16, 200, 2000, len(content)])) or 1)
    before, after = content[:place], content[place:]
    action = dice.choice(["flipped", "cut", "random", "removed", "repeated", "piece", "piece", "line"])
    if action == "flipped" and after:
        after = bytes([after[0] ^ 1 << dice.randrange(8)]) + after[1:]
    elif action == "cut":
        after = b""
    elif action == "random":
        after = dice.randbytes(dice.randrange(1, 9)) + after
    elif action == "removed":
        after = after[dice.randrange(1, 9) :]
    elif action == "repeated":
        after = after[:50] + after
    elif action == "piece":
        after = dice.choice(_PIECES) * dice.choice([1, 1, 2]) + after[dice.randrange(2) :]
    else:
        lines = content.split(b"\n")
        lines.insert(dice.randrange(len(lines)), lines.pop(dice.randrange(len(lines))))
        return b"\n".join(lines), "line moved"
    return before + after, f"{action} at byte {place}"


def replaced(value: Any, dice: Random) -> Any:
    """Replace one value somewhere in nested values; tensors get other shapes, types or numbers."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        key = dice.choice(list(value))
        changed = dict(value)
        if dice.random() < 0.1:
            del changed[key]
        elif dice.random() < 0.05:
            changed[f"{key}x"] = changed.pop(key)
        else:
            changed[key] = replaced(value[key], dice)
        return changed
    if isinstance(value, list) and value and dice.random() < 0.7:
        place = dice.randrange(len(value))
        return [*value[:place], replaced(value[place], dice), *value[place + 1 :]]
    if isinstance(value, torch.Tensor) and dice.random() < 0.8:
        return dice.choice([value[:0] if value.ndim else value[None], value.long(), value * float("nan"), value[None]])
    return dice.choice(STRANGE)
