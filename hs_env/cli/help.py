"""Help texts of options whose docstrings have several lines."""

from __future__ import annotations

from typing import Annotated

import tyro

from hs_env.parameters import field_texts


def join_lines(*configs: type) -> None:
    """Set the help of each field of these dataclasses to its docstring, joined into one paragraph.

    Without this, tyro prints the docstring with its line breaks and indentation.
    """
    for config in configs:
        for base in config.__mro__[:-1]:
            for name, kind in vars(base).get("__annotations__", {}).items():
                if not hasattr(kind, "__metadata__"):
                    base.__annotations__[name] = Annotated[kind, tyro.conf.arg(help=field_texts(base).get(name, ""))]
