"""Docstrings, messages and pages use the shape letters of the glossary, and no phrases that read as translated."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for folder in ("hs_env", "agents", "rewards") for path in (ROOT / folder).rglob("*.py"))
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]

_, SHAPE_LETTERS = (ROOT / "docs/glossary.md").read_text("utf-8").split("## Shape letters")
LEGEND = frozenset(re.findall(r"^\| (\w) \|", SHAPE_LETTERS, re.MULTILINE))
"""The letters that a shape may use; each has one meaning."""

DTYPES = r"(?:u?int\d*|float\d*|floats|bool)\b"
SHAPE = re.compile(
    rf"\(([^()]+)\)(?= {DTYPES})"  # (R, T) int64
    r"|(?:\A|^ *\w+: )\(([^()]+)\)",  # at the start of a docstring, or of the description of an argument or attribute
    re.MULTILINE,
)
WORD = re.compile(r"\b[a-z][a-z_]+\b")
"""A dimension that is no letter, such as `words` in (words, e)."""
OF = re.compile(r"(?:\A|^ *\w+: )Of .*", re.MULTILINE)
"""A docstring, or the description of an argument or attribute, that does not name what it describes."""
PHRASES = (
    "behind the end",
    "whoever",
    "goes on with",
    "go on from",
    "beyond chance",
    "what is made of",
    "learnt",
    "stands for itself",
)
"""Phrases that say it in the words of another language, where English has a term."""


def strings_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every string constant: docstrings and messages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def docstrings_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every docstring, also those of attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def strange_letters(docstring: str) -> list[str]:
    """The shapes of a docstring with a letter that the glossary does not define."""
    shapes = (first or second for first, second in SHAPE.findall(docstring))
    return [shape for shape in shapes if not set(re.findall(r"[^\W\d]+", WORD.sub("", shape))) <= LEGEND]


def translated(text: str) -> list[str]:
    """The forbidden phrases in a text, which may break lines."""
    flat = " ".join(text.lower().split())
    return [phrase for phrase in PHRASES if re.search(rf"\b{phrase}\b", flat)]


@pytest.fixture(params=MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def module(request: pytest.FixtureRequest) -> ast.AST:
    return ast.parse(request.param.read_text(encoding="utf-8"))


def test_the_legend_is_read() -> None:
    assert {"R", "T", "k", "d", "P"} <= LEGEND
    assert len(MODULES) > 100


def test_shapes_use_the_letters_of_the_glossary(module: ast.AST) -> None:
    found = [(line, shape) for line, docstring in docstrings_of(module) for shape in strange_letters(docstring)]
    assert found == [], "see the shape letters in docs/glossary.md"


def test_docstrings_and_messages_are_english(module: ast.AST) -> None:
    assert [(line, phrase) for line, text in strings_of(module) for phrase in translated(text)] == []


def test_no_description_begins_with_of(module: ast.AST) -> None:
    found = [(line, match) for line, text in docstrings_of(module) for match in OF.findall(text)]
    assert found == [], "name the thing: `Seed of all random generators.`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_are_english(page: Path) -> None:
    assert translated(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("docstring", "found"),
    [
        ("(R, T) int64: the actions.", []),
        ("(words, e) floats, and (2d + e,) float32.", []),
        ("Vectors, (W, e) floats.", ["W, e"]),
        ("Attributes:\n    rows: (n,) the rows.", ["n,"]),
        ("As in the paper (Zhang, Huang, Zhao).", []),
        ("(RT,) bool.", ["RT,"]),
    ],
)
def test_strange_letters_are_found(docstring: str, found: list[str]) -> None:
    assert strange_letters(docstring) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("padded behind\n    the end", ["behind the end"]),
        ("The phrase goes on within.", []),
        ("Learnt, whoever reads it", ["whoever", "learnt"]),
    ],
)
def test_translated_phrases_are_found(text: str, found: list[str]) -> None:
    assert translated(text) == found
