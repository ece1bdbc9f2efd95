"""Make the standard streams safe, whatever their encoding is and even if they are closed."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from hs_env.errors import HsEnvError
from hs_env.textfile import decode_lines, has_surrogates, text_lines

_STRICT = ("strict", "surrogateescape", "surrogatepass")
"""Names of the error handlers that raise an error for a character which the encoding lacks."""


class _Closed(io.TextIOBase):
    """Stands in for a standard output that is closed: writing fails, as it does in other tools."""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def prepare_streams() -> None:
    """Print replacement characters instead of failing, and replace closed streams.

    Python sets a stream to None if its descriptor is closed. The next file that is opened would get this descriptor.
    """
    if None in (sys.stdin, sys.stdout, sys.stderr):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - it stays open as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _STRICT:
            stream.reconfigure(errors="replace")


def shows_colours() -> bool:
    """Return whether standard output is a terminal that shows colours, and the user has not declined them."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def discard_output() -> bool:
    """Discard what the standard streams cannot write, and all that follows.

    Returns:
        Whether standard error still works, so that no message is lost.
    """
    _flushed(sys.stdout)
    return _flushed(sys.stderr) is None


def output_fault() -> str | None:
    """Flush standard output. If that fails, return the reason, and discard what is not written yet."""
    return _flushed(sys.stdout) or (os.strerror(errno.EBADF) if isinstance(sys.stdout, _Closed) else None)


def _flushed(stream: TextIO) -> str | None:
    """Flush a stream. If that fails, return the reason, and let the stream write nowhere."""
    try:
        stream.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        return error.strerror or str(error)
    return None


def is_unicode(stream: object) -> bool:
    """Return whether a stream can print every character."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def input_lines() -> Iterator[str]:
    """Yield the lines of standard input, which is UTF-8 with or without byte order mark, unless it is a terminal.

    Raises:
        HsEnvError: If standard input is closed, not UTF-8, or holds NUL bytes.
    """
    stream, name = sys.stdin, "standard input"
    if stream is None:
        raise HsEnvError("Standard input is closed. Give sentences as arguments, or open it.")
    try:
        buffer = None if stream.isatty() else getattr(stream, "buffer", None)
        yield from text_lines(stream if buffer is None else decode_lines(buffer, name), name)
    except UnicodeDecodeError as error:
        raise HsEnvError(f"{name}: not {stream.encoding} ({error.reason}).") from error


def argument_text(text: str) -> str:
    """Return a text as the user typed it. In a locale of ASCII, Python has its bytes as surrogates.

    Raises:
        HsEnvError: If it is not UTF-8.
    """
    if not has_surrogates(text):
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError as error:
        raise HsEnvError(f"The text {text!r} is not UTF-8. Convert it to UTF-8.") from error
