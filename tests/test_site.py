"""The documentation site has every page and every public package, and its links are checked."""

from __future__ import annotations

import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFIG = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
broken_links = runpy.run_path(str(ROOT / "scripts" / "check_links.py"))["broken_links"]


def pages_of(navigation: object) -> Iterator[str]:
    """The pages of a navigation, in their order."""
    if isinstance(navigation, str):
        yield navigation
    else:
        for part in navigation.values() if isinstance(navigation, dict) else navigation:
            yield from pages_of(part)


def test_every_page_is_in_the_navigation_once() -> None:
    listed = [page for page in pages_of(CONFIG["nav"]) if not page.startswith("reference/")]
    made = [path.with_suffix(".md") for path in (ROOT / "docs").rglob("*.ipynb")]
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *made]
    assert sorted(listed) == sorted(path.relative_to(ROOT).as_posix() for path in pages)


def test_every_public_package_is_in_the_reference() -> None:
    listed = {page.removeprefix("reference/").removesuffix(".md") for page in pages_of(CONFIG["nav"])}
    folders = {"hs_env.agents": ROOT / "agents", "hs_env.rewards": ROOT / "rewards"}
    folders |= {f"hs_env.{path.name}": path for path in (ROOT / "hs_env").iterdir() if path.is_dir()}
    folders["hs_env.agents.estimators"] = ROOT / "agents" / "estimators"
    public = {
        name
        for name, folder in folders.items()
        if (folder / "__init__.py").is_file() and "__all__" in (folder / "__init__.py").read_text(encoding="utf-8")
    }
    assert public - {"hs_env.cli"} <= listed


@pytest.mark.parametrize(
    ("link", "broken"),
    [
        ("b.html", False),
        ("b.html#there", False),
        ("folder/", False),
        ("https://example.org/none.html", False),
        ("#here", False),
        ("c.html", True),
        ("b.html#nowhere", True),
        ("#nowhere", True),
        ("picture.svg", True),
    ],
)
def test_broken_links_are_found(tmp_path: Path, link: str, broken: bool) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "index.html").write_text("<p>", encoding="utf-8")
    (tmp_path / "a.html").write_text(f'<h1 id="here"></h1><a href="{link}">x</a>', encoding="utf-8")
    (tmp_path / "b.html").write_text('<h1 id="there"></h1>', encoding="utf-8")
    assert broken_links(tmp_path) == ([f"a.html: {link}"] if broken else [])


def test_the_site_is_not_committed() -> None:
    assert CONFIG["site_dir"].startswith("build/")
    assert "build/" in re.split(r"\s+", (ROOT / ".gitignore").read_text(encoding="utf-8"))
