"""Read UTF-8 text files, plain or gzip, and build errors that name a file and a line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from hs_env.errors import HsEnvError


def file_error(path: Path, line: int, fault: str) -> HsEnvError:
    """Build the error for a fault in a line of a file, lines counted from 1; the fault has no full stop."""
    return HsEnvError(f"{path}, line {line}: {fault}.")


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 text file, plain or gzip (`.gz`), with their line ends but no byte order mark.

    Raises:
        HsEnvError: If the file cannot be read, is broken or truncated gzip, or is not UTF-8.
    """
    line = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            for line, raw in enumerate(stream, 1):
                yield raw.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        fault = f"not UTF-8 ({error.reason} at byte {error.start} of the line); convert the file to UTF-8"
        raise file_error(path, line, fault) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise file_error(path, line + 1, f"broken or truncated gzip ({error}); fetch the file again") from error
    except OSError as error:
        raise HsEnvError(f"{path}: cannot be read ({error.strerror or error}).") from error
