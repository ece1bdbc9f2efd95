"""Check the texts that a user gives, take them in chunks, and show how many are done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from itertools import islice
from time import monotonic
from typing import Any, Final, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hs_env.errors import HsEnvError, shown

T = TypeVar("T")
_MISSING: Final = ("None", "nan", "<NA>")
_PATIENCE: Final = 2.0  # seconds of work before progress is shown


def check_texts(texts: Iterable[str]) -> Iterator[str]:
    """Return an iterator of texts that checks each of them.

    Raises:
        HsEnvError: At once if `texts` is a single text, a table or no iterable; during iteration if one is not a text.
    """
    if isinstance(texts, str | bytes):
        raise HsEnvError(f"Expected a list of texts, got the single text {shown(texts)}. Put it in a list: [text].")
    if isinstance(texts, Mapping) or hasattr(texts, "columns"):
        raise HsEnvError(
            f"Expected a list of texts, got a table ({type(texts).__name__}). Give one of its columns, such as "
            "table['text']."
        )
    try:
        return _checked(iter(texts))
    except TypeError:
        raise HsEnvError(f"Expected a list of texts, got {shown(texts)}.") from None


def _checked(texts: Iterator[Any]) -> Iterator[str]:
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            advice = " Replace missing values by empty texts." if shown(text) in _MISSING else ""
            raise HsEnvError(f"The text at index {index} is {shown(text)}; expected a string.{advice}")
        yield text


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Return an iterator of the items in lists of `size`; the last list may be shorter.

    Raises:
        HsEnvError: At once if `size` is no whole number from 1.
    """
    if not isinstance(size, int | np.integer) or size < 1:
        raise HsEnvError(f"The size of a chunk is a whole number from 1, got {shown(size)}.")
    iterator = iter(items)
    return iter(lambda: list(islice(iterator, size)), [])


def watched(texts: Iterable[str]) -> Iterator[str]:
    """Return `check_texts(texts)`. On a terminal, work that takes long shows how many texts are done."""
    console = Console(stderr=True)
    checked = check_texts(texts)
    total = len(texts) if isinstance(texts, Sized) else None
    return _with_progress(checked, total, console) if console.is_terminal or console.is_jupyter else checked


def _with_progress(texts: Iterator[str], total: int | None, console: Console) -> Iterator[str]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console, transient=True)
    task, begun = progress.add_task("texts", total=total), monotonic()
    try:
        for text in texts:
            if not progress.live.is_started and monotonic() - begun > _PATIENCE:
                progress.start()
            yield text
            progress.advance(task)
    finally:
        progress.stop()
