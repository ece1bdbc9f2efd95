"""What may import what, read from the source: nothing is imported here."""

import ast
import os
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = [
    {"errors", "text_units"},
    {"ranks"},
    {"compute"},
    {"types", "registry", "storage", "textfile", "shipped"},
    {"parameters", "settings"},
    {"problems"},
    {"corpora"},
    {"vectors"},
    {"models", "rewards"},
    {"render"},
    {"envs"},
    {"interop"},
    {"agents"},
    {"metrics"},
    {"training"},
    {"language"},
    {"hub"},
    {"inference"},
    {"evaluation"},
    {"experiments"},
    {"report", "demo"},
    {"cli"},
    {"__main__"},
]
"""The parts of hs_env, each importing from the layers before its own only."""

RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}

NARROWER = {
    "rewards": {"errors", "text_units", "types", "registry", "problems"},
    "interop": {"errors", "types", "registry"},
}
"""Parts that may import less than their layer allows: a reward sees finished episodes and nothing that made them, and
an adapter serves environments of other packages too."""


def find_modules() -> dict[str, Path]:
    """Every module of hs_env by its name; `agents` and `rewards` once, through their links."""
    files = [
        Path(folder, name)
        for folder, _, names in os.walk(ROOT / "hs_env", followlinks=True)
        for name in names
        if name.endswith(".py")
    ]
    return {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in sorted(files)
    }


MODULES = find_modules()


def part_of(module: str) -> str:
    """`corpora` for `hs_env.corpora.files`, and nothing for `hs_env`."""
    return module.removeprefix("hs_env").removeprefix(".").partition(".")[0]


def imports_of(module: str, source: str) -> Iterator[str]:
    """Full names of what a module imports, anywhere in it; `from a import b` counts as `a.b` where that is a module."""
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            names = (f"{origin}.{alias.name}" for alias in node.names)
            yield from (name if name in MODULES else origin for name in names)


def forbidden(module: str, source: str) -> list[str]:
    """The imports that a module should not have."""
    here = part_of(module)
    allowed = NARROWER.get(
        here, {part for part in RANK if RANK[part] < RANK[here]} if here else {"errors", "problems", "inference"}
    )
    found = []
    for name in imports_of(module, source):
        top, _, _ = name.partition(".")
        if top in {"agents", "rewards", "tests", "scripts"} or (
            top == "hs_env" and part_of(name) not in {"", here} | allowed
        ):
            found.append(name)
    return found


def test_each_part_stands_in_one_layer() -> None:
    assert sum(map(len, LAYERS)) == len(RANK)
    assert {part_of(module) for module in MODULES} - {""} <= RANK.keys(), "give the new part a place in LAYERS"
    assert {"hs_env.agents", "hs_env.rewards"} <= MODULES.keys()


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    assert forbidden(module, MODULES[module].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("hs_env", "import hs_env.types", ["hs_env.types"]),
        ("hs_env.corpora", "import hs_env\nfrom hs_env import types, __version__", []),
        ("hs_env.corpora", "def late():\n    from hs_env import models", ["hs_env.models"]),
        ("hs_env.agents.base", "from . import rollout\nfrom .rollout import Rollout\nfrom ..models import HSLSTM", []),
        ("hs_env.agents.base", "from agents.rollout import Rollout", ["agents.rollout"]),
        ("hs_env.models", "from .. import agents", ["hs_env.agents"]),
        ("hs_env.rewards.base", "from ..corpora import Corpus", ["hs_env.corpora"]),
    ],
)
def test_forbidden_imports_are_found(module: str, source: str, found: list[str]) -> None:
    assert forbidden(module, source) == found


@pytest.mark.parametrize("module", [name for name, file in MODULES.items() if "__all__" in file.read_text("utf-8")])
def test_all_agrees_with_what_exists(module: str) -> None:
    imported, defined, exported = set[str](), set[str](), list[str]()
    for node in ast.parse(MODULES[module].read_text(encoding="utf-8")).body:
        match node:
            case ast.Import() | ast.ImportFrom():
                imported |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                defined.add(name)
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                exported = ast.literal_eval(value)
            case ast.Assign(targets=targets):
                defined |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                defined.add(name)
    assert len(set(exported)) == len(exported)
    assert set(exported) <= imported | defined
    if MODULES[module].name == "__init__.py":
        assert {name for name in imported - {"annotations"} if name[0] != "_"} <= set(exported)
