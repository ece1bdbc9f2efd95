"""Read text, from files (plain or gzip) and streams, and build errors that name a file and a line."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Final

from hs_env.errors import HsEnvError

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def file_error(path: Path | str, line: int, fault: str) -> HsEnvError:
    """Build the error for a fault in a line of a file, lines counted from 1; the fault has no full stop."""
    return HsEnvError(f"{path}, line {line}: {fault}.")


def read_lines(path: Path, encoding: str = "utf-8", advice: str = "") -> Iterator[str]:
    """Yield the lines of a text file, plain or gzip whatever its name, with their line ends but no byte order mark.

    Args:
        path: File to read.
        encoding: Name of an encoding that extends ASCII.
        advice: What to do about another encoding, for the error.

    Raises:
        HsEnvError: If the file cannot be read, is broken or truncated gzip, or has another encoding.
    """
    line = 0
    try:
        with path.open("rb") as file, gzip.open(file) if _is_gzip(file) else file as stream:
            for line, text in enumerate(decode_lines(stream, path, encoding, advice), 1):  # noqa: B007 - the errors below name it
                yield text
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise file_error(path, line + 1, f"broken or truncated gzip ({error}); fetch the file again") from error
    except OSError as error:
        raise HsEnvError(f"{path}: cannot be read ({error.strerror or error}).") from error


def _is_gzip(file: BufferedReader) -> bool:
    return file.peek(2).startswith(b"\x1f\x8b")


def decode_lines(lines: Iterable[bytes], name: Path | str, encoding: str = "utf-8", advice: str = "") -> Iterator[str]:
    """Decode lines, and remove a byte order mark of UTF-8.

    Args:
        lines: Lines with their line ends.
        name: Name of the file or stream, for the error.
        encoding: Name of an encoding that extends ASCII.
        advice: What to do about another encoding, for the error.

    Raises:
        HsEnvError: If a line has another encoding.
    """
    is_utf_8 = codecs.lookup(encoding).name == "utf-8"
    for line, raw in enumerate(lines, 1):
        try:
            text = raw.decode("utf-8-sig" if line == 1 and is_utf_8 else encoding)
        except UnicodeDecodeError as error:
            fault = f"not {encoding.upper()} ({error.reason} at byte {error.start} of the line)"
            kind = "it looks like UTF-16; " if line == 1 and raw.startswith(_UTF_16) else ""
            excel = " (in Excel: save it as CSV UTF-8)" if str(name).lower().endswith(".csv") else ""
            raise file_error(
                name, line, f"{fault}; {kind}convert it to UTF-8{excel}{'' if kind else advice}"
            ) from error
        yield text


def text_lines(lines: Iterable[str], name: Path | str) -> Iterator[str]:
    """Divide lines at every line end: LF, CR LF, or CR as in old files. They keep their line ends.

    Raises:
        HsEnvError: If a line holds a NUL byte.
    """
    number = 0
    for text in lines:
        for line in _LINE.findall(text) if "\r" in text else (text,):
            number += 1
            if "\0" in line:
                fault = "it holds a NUL byte, so it is damaged or UTF-16; repair it or convert it to UTF-8"
                raise file_error(name, number, fault)
            yield line


def has_surrogates(text: str) -> bool:
    """Return whether a text contains half a surrogate pair, which no file and no stream can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
