"""Parse the parameters of models, agents and other registered things with a dataclass for each.

A configuration stores them as a plain dict, so it is independent of the models and agents.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from hs_env.errors import HsEnvError, shown
from hs_env.registry import unknown_name

P = TypeVar("P")
REST = "arguments"
"""Name of a dict field that collects all parameters without a field of their own, for code of other packages."""


def parse_parameters(kind: type[P], values: Mapping[str, Any], owner: str) -> P:
    """Make parameters from plain values.

    Args:
        kind: Dataclass; its field `arguments`, if any, collects the other values.
        values: Values by field name.
        owner: Owner of the parameters, for messages: "the model 'hs_lstm'".

    Raises:
        HsEnvError: If a parameter is unknown (with the nearest spelling), or a value has the wrong type or range.
    """
    hints = get_type_hints(kind)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    rest = {name: value for name, value in values.items() if name not in known}
    if rest and REST not in known:
        raise unknown_name(f"parameter of {owner}", next(iter(rest)), known)
    for name, value in rest.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise HsEnvError(f"The parameter {name} of {owner} must be a finite number, got {value}.")
    given = {name: _coerced(name, value, hints[name], owner) for name, value in values.items() if name in known}
    if rest:
        given[REST] = {**given.get(REST, {}), **rest}
    return kind(**given)


def make_plain(config: object) -> None:
    """Make the fields of a frozen dataclass plain: paths, NumPy scalars and other mappings, as their annotations say.

    The annotations of the dataclass must be strings (`from __future__ import annotations`).

    Raises:
        HsEnvError: If a text, a truth value or a dict is expected, and the field holds something else.
    """
    for each in fields(config):  # type: ignore[arg-type]
        value, kind = getattr(config, each.name), str(each.type)
        if "Path" in kind and isinstance(value, str | os.PathLike):
            value = Path(value)
        elif isinstance(value, os.PathLike):
            value = os.fspath(value)
        elif isinstance(value, Mapping) and kind.startswith("dict"):
            value = {_text(each.name, key): _scalar(entry) for key, entry in value.items()}
        else:
            value = _scalar(value)
        first = kind.partition("[")[0].partition(" ")[0]
        expected = {"str": str, "bool": bool, "dict": dict, "Path": Path}.get(first)
        if expected is not None and not isinstance(value, expected) and not (value is None and kind.endswith("None")):
            wanted = {str: "a text", bool: "true or false", dict: "a mapping", Path: "a path"}[expected]
            raise HsEnvError(f"{each.name} must be {wanted}, got {shown(value)}.")
        if isinstance(value, str | Path) and "\0" in str(value):
            raise HsEnvError(f"{each.name} must be a text without null characters, got {shown(value)}.")
        object.__setattr__(config, each.name, value)


def _scalar(value: Any) -> Any:
    """Return the Python number or truth value that a NumPy scalar holds; other values are returned as they are."""
    return value.item() if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () else value


def _text(owner: str, key: Any) -> str:
    if not isinstance(key, str):
        raise HsEnvError(f"{owner} must have names as keys, got {shown(key)}.")
    return key


def plain_values(parameters: Any) -> dict[str, Any]:
    """Return all fields of a configuration or of parameters by name; the inverse of `parse_parameters`."""
    values: dict[str, Any] = {field.name: getattr(parameters, field.name) for field in fields(parameters)}
    rest: dict[str, Any] = values.pop(REST, {})
    return values | rest


def field_texts(kind: type[Any]) -> dict[str, str]:
    """Return the docstring of each field of a dataclass, inherited ones included, as one paragraph."""
    import docstring_parser

    documented = [each for base in kind.__mro__[-2::-1] for each in docstring_parser.parse_from_object(base).params]
    return {each.arg_name: " ".join((each.description or "").split()) for each in documented}


def describe_fields(kind: type[Any]) -> list[tuple[str, str, str]]:
    """Name, default and description of each field of a dataclass whose fields have docstrings."""
    texts = field_texts(kind)
    defaults = {field.name: "" if field.default is MISSING else str(field.default) for field in fields(kind)}
    return [(name, default, texts.get(name, "")) for name, default in defaults.items()]


def _coerced(name: str, value: Any, hint: Any, owner: str) -> Any:
    """Convert a value to the type of its field; NumPy numbers become Python numbers."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for option in options:
        try:
            return _as(option, value)
        except (TypeError, ValueError, OverflowError):
            continue
    wanted = " or ".join(_EXPECTED.get(option, str(option)) for option in options)
    raise HsEnvError(f"The parameter {name} of {owner} must be {wanted}, got {shown(value)}.")


_EXPECTED = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", NoneType: "left out"}


def _as(option: Any, value: Any) -> Any:
    if get_origin(option) is Literal:
        if value in get_args(option):
            return value
        raise ValueError
    if get_origin(option) is dict:
        return dict(value)
    truth = isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")
    if option is bool and truth:
        return bool(value)
    if option is int and not truth:
        return operator.index(value)
    if option is float and not truth and not isinstance(value, str):
        return float(value)
    if (option is str and isinstance(value, str)) or (option is NoneType and value is None):
        return value
    raise TypeError
