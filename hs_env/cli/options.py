"""The options of a command, read from the function that it calls, for its help and for completion in shells."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import docstring_parser
import tyro

from hs_env.parameters import field_texts

MAIN = "MAIN"
"""Attribute of a function or dataclass that names its main options. Without it, all of them are main options."""

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Option:
    """An option or positional argument of a command.

    Attributes:
        name: Name as on the command line, with underscores: "agent.samples".
        kind: Type, without annotations.
        default: Default; `inspect.Parameter.empty` if the argument is required.
        text: What the option does.
        positional: Whether it is a positional argument.
        is_main: Whether the short help shows it.
    """

    name: str
    kind: Any
    default: Any
    text: str
    positional: bool
    is_main: bool


def main_options(*names: str) -> Callable[[Function], Function]:
    """Return a decorator that names the parameters of a function which the short help of its command shows."""

    def mark(function: Function) -> Function:
        setattr(function, MAIN, names)
        return function

    return mark


def options_of(function: Callable[..., Any]) -> Iterator[Option]:
    """Yield the options of a command. A parameter whose type is a dataclass stands for an option per field.

    Args:
        function: Function of the command, with annotations as tyro reads them and a docstring in Google style.
    """
    texts = {each.arg_name: each.description or "" for each in docstring_parser.parse_from_object(function).params}
    hints = get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        kind, marks = (get_args(hint)[0], hint.__metadata__) if get_origin(hint) is Annotated else (hint, ())
        shown = parameter.name in getattr(function, MAIN, (parameter.name,))
        name = next((mark.name for mark in marks if getattr(mark, "name", None) is not None), parameter.name)
        if is_dataclass(kind) and isinstance(kind, type):
            default: Any = kind() if parameter.default is parameter.empty else parameter.default
            yield from _fields_of(kind, default, f"{name}." if name else "", shown)
        else:
            positional = tyro.conf.Positional in marks
            yield Option(name, kind, parameter.default, texts.get(parameter.name, ""), positional, shown)


def _fields_of(kind: Any, default: Any, prefix: str, shown: bool) -> Iterator[Option]:
    hints, texts = get_type_hints(kind, include_extras=True), field_texts(kind)
    for field in fields(kind):
        hint = hints[field.name]
        inner, marks = (get_args(hint)[0], hint.__metadata__) if get_origin(hint) is Annotated else (hint, ())
        if tyro.conf.Suppress not in marks:
            is_main = shown and field.name in getattr(kind, MAIN, (field.name,))
            value = getattr(default, field.name)
            yield Option(prefix + field.name, inner, value, texts.get(field.name, ""), False, is_main)
