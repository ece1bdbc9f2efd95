"""Options, loading and printing that several commands share."""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hs_env.cli.streams import is_unicode
from hs_env.errors import HsEnvError
from hs_env.parameters import describe_fields
from hs_env.shipped import shipped_runs
from hs_env.storage import write_atomically

if TYPE_CHECKING:
    from hs_env.agents import Agent
    from hs_env.evaluation import Comparison
    from hs_env.models import Classifier

Format = Literal["table", "json", "csv", "markdown"]
Split = Literal["train", "dev", "test"]


def load_policy(run: str, device: str) -> tuple[Classifier, Agent, Path | None]:
    """Load the classifier and the agent of a run to a device: a folder, a name that ships, or `hf:owner/name`.

    Returns:
        The classifier, the agent, and the folder of the run, or None if it ships with the package.

    Raises:
        HsEnvError: If there is no such run, or its model takes no actions.
    """
    from hs_env.agents import load_pair
    from hs_env.hub.pull import local
    from hs_env.models import find_classifier

    path = find_classifier(local(run))
    classifier, agent = load_pair(path, device)
    if agent is None:
        raise HsEnvError(f"The model of {run}, {classifier.model.title}, takes a sentence as it is.")
    return classifier, agent, None if run in shipped_runs() else path.parent


def print_comparison(comparison: Comparison, format: Format = "table") -> None:
    """Print a comparison on standard output; as a table it includes deleted words and recurring phrases."""
    match format:
        case "json":
            print(json.dumps(comparison.to_json(), indent=2))
        case "csv":
            print(comparison.to_csv())
        case "markdown":
            print(comparison.to_markdown())
        case "table":
            out = Console()
            for part in comparison.parts():
                out.print(part.to_rich(out.width))
            if comparison.classes is not None:
                out.print(*comparison.classes.to_rich())
            if comparison.deletions is not None:
                out.print(comparison.deletions.to_rich())
            if comparison.recurring is not None and comparison.recurring.phrases:
                out.print(comparison.recurring.to_rich())


def print_kinds(kinds: Mapping[str, tuple[str, type[Any]]]) -> None:
    """Print the parameters of models or agents: title and dataclass by name. Equal parameters share a table."""
    console, shared = Console(), defaultdict[type[Any], list[str]](list)
    for name, (title, parameters) in kinds.items():
        shared[parameters].append(f"{name.rpartition('.')[0]} ({title})")
    for parameters, names in shared.items():
        table = Table("Parameter", "Default", "What it is", box=None, padding=(0, 2, 0, 2))
        for row in describe_fields(parameters):
            table.add_row(*map(Text, row))
        console.print(Text(", ".join(names), "bold"))
        console.print(table if table.row_count else "  no parameters", "")


def check_new(path: Path) -> None:
    """Check that a file to write does not exist yet.

    Raises:
        HsEnvError: If it does.
    """
    if os.path.lexists(path):
        raise HsEnvError(f"{path} exists already. Remove it, or write to another file.")


def write_new(path: Path, content: bytes) -> None:
    """Write a file that must not exist yet, atomically.

    Raises:
        HsEnvError: If it exists, also if another process writes it meanwhile.
    """
    check_new(path)
    try:
        write_atomically(path, content, replace=False)
    except FileExistsError:
        raise HsEnvError(f"{path} exists already. Remove it, or write to another file.") from None


def print_json_line(value: dict[str, Any]) -> None:
    """Print JSON values on one line, and flush it so that a reader of a pipe gets each result at once.

    Characters are escaped if standard output is not Unicode, so that none is lost.
    """
    print(json.dumps(value, ensure_ascii=not is_unicode(sys.stdout)), flush=True)
