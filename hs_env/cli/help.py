"""Help of options whose docstrings have more than one line."""

from __future__ import annotations

from typing import Annotated

import docstring_parser
import tyro


def join_lines(*configs: type) -> None:
    """Tell tyro the docstrings of the fields of these dataclasses as paragraphs: by itself it keeps indented lines."""
    for config in configs:
        kinds = config.__annotations__
        for field in docstring_parser.parse_from_object(config).params:
            text = " ".join((field.description or "").split())
            kinds[field.arg_name] = Annotated[kinds[field.arg_name], tyro.conf.arg(help=text)]
