"""Define the errors for invalid input and missing extras, and check the fields of dataclasses."""

from __future__ import annotations

import os
from dataclasses import fields
from numbers import Integral, Real
from pathlib import Path
from types import NoneType
from typing import Literal, get_args, get_origin, get_type_hints


class HsEnvError(ValueError):
    """Raised for invalid input. The message says what was expected, what was given, and how to fix it."""


def missing_extra(purpose: str, extra: str) -> HsEnvError:
    """Return the error for a package that is not installed because it belongs to an extra.

    Args:
        purpose: Plural of what needs the package, such as "Reports".
        extra: Name of the extra.
    """
    return HsEnvError(f'{purpose} need an extra package: pip install "hs-env[{extra}]".')


def path_text(value: object, what: str) -> str:
    """Return a path as a text.

    Args:
        value: Text or path.
        what: What the path is of, for the message, such as "The folder of the run".

    Raises:
        HsEnvError: If it is neither a text nor a path, or no system has such a path.
    """
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise HsEnvError(f"{what} must be a text or a path, got {shown(value)}.")
    if "\0" in text:
        raise HsEnvError(f"{what} contains a NUL character, got {shown(text)}. Remove it.")
    return text


def expand(path: str | os.PathLike[str]) -> Path:
    """Return a path with `~` or `~USER` replaced by the home folder.

    Raises:
        HsEnvError: If the home folder is unknown.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        given = os.fspath(path)
        raise HsEnvError(f"The home folder in {given!r} is unknown. Set HOME, or give the whole path.") from error


def check_ranges(config: object, **ranges: tuple[float, float]) -> None:
    """Check that numeric fields of a dataclass are in range, with the lowest and highest allowed value of each.

    The annotations of the dataclass must be strings (`from __future__ import annotations`). Numbers of NumPy become
    Python numbers.

    Raises:
        HsEnvError: If a value is out of range or no number, or an `int` field holds a fraction. The message names the
            field, its range and its value.
    """
    kinds = {field.name: field.type for field in fields(config)}  # type: ignore[arg-type]
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        whole = kinds[name].startswith("int")
        number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
        if not number or not low <= value <= high:
            kind = "a whole" if whole else "a"
            raise HsEnvError(f"{name} must be {kind} number from {low:g} to {high:g}, got {shown(value)}.")
        if type(value) not in (int, float):
            object.__setattr__(config, name, int(value) if isinstance(value, Integral) else float(value))


def check_choices(config: object) -> None:
    """Check the fields of a dataclass whose type is a `Literal`, or a `Literal` and None.

    Raises:
        HsEnvError: If a field holds another value. The message names the field, its choices and its value.
    """
    for name, hint in get_type_hints(type(config)).items():
        options = (hint,) if get_origin(hint) is Literal else get_args(hint)
        literals = [option for option in options if option is not NoneType]
        if not all(get_origin(option) is Literal for option in literals):
            continue
        choices = [value for option in literals for value in get_args(option)]
        value = getattr(config, name)
        if choices and value not in choices and not (value is None and NoneType in options):
            raise HsEnvError(f"{name} must be one of {', '.join(map(repr, choices))}, got {shown(value)}.")


def check_decay(weight_decay: float, **rates: float | None) -> None:
    """Check that decoupled weight decay leaves a part of the weights at each learning rate; None is no rate.

    Raises:
        HsEnvError: If an update would erase all weights. The message names the highest rate.
    """
    known = {name: rate for name, rate in rates.items() if rate is not None}
    name = max(known, key=lambda each: known[each], default=None)
    if name is not None and weight_decay * known[name] >= 1:
        most = f"1 / {name} = {1 / known[name]:g}"
        raise HsEnvError(f"weight_decay must be below {most}, which erases all weights; got {weight_decay!r}.")


def shown(value: object, width: int = 100) -> str:
    """Return the representation of a value for a message, at most `width` characters long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, or deep nesting
        return f"a {type(value).__name__} that is too large to show"
    return text if len(text) <= width else f"{text[: width - 1]}…"
