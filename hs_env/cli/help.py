"""Help texts of options whose docstrings have several lines."""

from __future__ import annotations

from typing import Annotated

import docstring_parser
import tyro


def join_lines(*configs: type) -> None:
    """Set the help of each field of these dataclasses to its docstring, joined into one paragraph.

    Without this, tyro prints the docstring with its line breaks and indentation.
    """
    for config in configs:
        kinds = config.__annotations__
        for field in docstring_parser.parse_from_object(config).params:
            text = " ".join((field.description or "").split())
            kinds[field.arg_name] = Annotated[kinds[field.arg_name], tyro.conf.arg(help=text)]
