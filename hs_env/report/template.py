"""Render the templates of the reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import hs_env
from hs_env.errors import HsEnvError, missing_extra
from hs_env.render.segmented import printable
from hs_env.storage import read_json
from hs_env.training.folders import RECORD

try:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup as Markup
except ImportError as error:
    raise missing_extra("Reports", "analysis") from error


def render(template: str, **values: Any) -> str:
    """Return a page from a template of this package, with the version of hs-env as `version`."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda name: files("hs_env.report").joinpath(name).read_text("utf-8")),
    )
    environment.finalize = _clean
    return environment.get_template(template).render(version=hs_env.__version__, **values)


def records_of(folder: Path) -> list[dict[str, str]]:
    """Return versions, machine and command of each process that trained a run, as texts.

    Raises:
        HsEnvError: If the record of the run is damaged.
    """
    records = read_json(folder / RECORD) if (folder / RECORD).exists() else []
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise HsEnvError(f"{folder / RECORD} is not what hs-env wrote. Was it edited?")
    return [dict(flat(record)) for record in records]


def flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested JSON values as texts, with dotted names."""
    for name, entry in value.items():
        if isinstance(entry, Mapping):
            yield from flat(entry, f"{prefix}{name}.")
        else:
            text = " ".join(map(str, entry)) if isinstance(entry, list) else str(entry)
            yield f"{prefix}{name}", "—" if entry is None else text


def _clean(value: Any) -> Any:
    """Replace the characters of a value in the template that HTML does not allow."""
    return value if isinstance(value, Markup) else printable(str(value))
