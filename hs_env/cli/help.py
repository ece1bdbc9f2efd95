"""The help of a command: its main options, or all of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import tyro

from hs_env.cli.options import Option, options_of
from hs_env.parameters import field_texts


def join_lines(*configs: type) -> None:
    """Set the help of each field of these dataclasses to its docstring, joined into one paragraph.

    Without this, tyro prints the docstring with its line breaks and indentation.
    """
    for config in configs:
        for base in config.__mro__[:-1]:
            texts = field_texts(base)
            for name, kind in vars(base).get("__annotations__", {}).items():
                if not hasattr(kind, "__metadata__") and not str(kind).startswith("ClassVar"):
                    base.__annotations__[name] = Annotated[kind, tyro.conf.arg(help=texts.get(name, ""))]


def print_help(function: Callable[..., Any], prog: str, whole: bool) -> None:
    """Print the help of a command.

    Args:
        function: Function of the command.
        prog: Words that call the command, such as "hs-env train".
        whole: Whether all options are shown, or the main ones only.

    Raises:
        SystemExit: In any case, with status 0.
    """
    every = list(options_of(function))
    shown = every if whole else [option for option in every if option.is_main]
    try:
        tyro.cli(_documented(function, shown), prog=prog, args=["--help"])
    except SystemExit:
        if shown != every:
            print(f"{prog} --help-all shows {len(every) - len(shown)} more options.")
        raise


def _documented(function: Callable[..., Any], options: list[Option]) -> Callable[..., None]:
    """Return a function with these parameters, which serves for the help only."""

    def documented(**_: Any) -> None: ...

    parameters = [
        inspect.Parameter(
            option.name.replace(".", "_"),
            inspect.Parameter.KEYWORD_ONLY,
            default=option.default,
            annotation=_annotation(option),
        )
        for option in options
    ]
    documented.__doc__ = (inspect.getdoc(function) or "").partition("\nArgs:")[0]
    documented.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    documented.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return documented


def _annotation(option: Option) -> Any:
    """Return the annotation of an option for tyro. Defaults that say nothing are left out."""
    hint = "" if any(option.default is each for each in (None, False, (), inspect.Parameter.empty)) else None
    metavar = "|".join(map(_noun, _parts(option.kind))) if option.default is None else None
    metavar = f"[{metavar}]" if metavar and option.positional else metavar
    name = option.name.replace("_", "-")
    described = tyro.conf.arg(name=name, help=option.text, metavar=metavar, help_behavior_hint=hint)
    marks = (tyro.conf.Positional, described) if option.positional else (described,)
    annotated: Any = Annotated
    return annotated[(option.kind, *marks)]


def _parts(kind: Any) -> list[Any]:
    """Return the types of a union, without None."""
    return [part for part in get_args(kind) if part is not NoneType]


def _noun(kind: Any) -> str:
    """Return what the help calls a value of a type."""
    if get_origin(kind) is tuple:
        one = _noun(get_args(kind)[0])
        return f"{one} [{one} ...]"
    values = get_args(kind) or {bool: (True, False)}.get(kind, ())
    return f"{{{','.join(map(str, values))}}}" if values else kind.__name__.upper()
