"""Build the documentation site in build/site, and check every link in it.

The site has the layout of the repository, so a relative link is the same on a code forge and in the site. Pages that
exist only in the site are made here: one per public package or module, from its docstrings, and one per notebook.
"""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nbformat
from check_links import broken_links
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parents[1]
PAGES, SITE = ROOT / "build" / "pages", ROOT / "build" / "site"
PACKAGES = re.findall(r'"reference/(hs_env[\w.]*)\.md"', (ROOT / "zensical.toml").read_text(encoding="utf-8"))
"""Packages and modules of the public interface, in the order of the navigation."""
REFERENCE = """\
# Python reference

The public names of each package, from their docstrings.

| package | names |
|---|---|"""


def stage() -> None:
    """Copy the pages, and the files that they link to, to build/pages."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES / "docs", ignore=shutil.ignore_patterns("*.ipynb"))
    for page in ROOT.glob("*.md"):
        shutil.copy(page, PAGES)
    for page in PAGES.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^):#]+)", text):
            copy = (page.parent / target).resolve()
            source = ROOT / copy.relative_to(PAGES)
            if source.is_file() and source.suffix != ".ipynb" and not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, copy)
        page.write_text(re.sub(r"\.ipynb\)", ".md)", text), encoding="utf-8")


def convert_notebooks() -> None:
    """Write a Markdown page and the pictures of each notebook."""
    for notebook in (ROOT / "docs" / "notebooks").glob("*.ipynb"):
        folder = PAGES / "docs" / "notebooks"
        folder.mkdir(exist_ok=True)
        text, resources = MarkdownExporter().from_notebook_node(nbformat.read(notebook, as_version=4))
        for name, content in resources["outputs"].items():
            text = text.replace(f"]({name})", f"]({notebook.stem}_{name})")
            (folder / f"{notebook.stem}_{name}").write_bytes(content)
        (folder / f"{notebook.stem}.md").write_text(text, encoding="utf-8")


def public_names(module: ModuleType) -> list[str]:
    """Return the names in `__all__`, or those that a module without it defines, in alphabetical order."""
    defined = (name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__)
    names = getattr(module, "__all__", None) or [name for name in defined if not name.startswith("_")]
    return sorted(names, key=str.lower)


def directive(package: str, name: str, value: object) -> tuple[str, str]:
    """Return where a public name is defined, for its anchor, and the directive that documents it."""
    method = getattr(value, "__func__", None)  # such as `train`, a method of a `RunKind`
    target = f"{method.__module__}.{method.__qualname__}" if method else f"{package}.{name}"
    return target, f"::: {target}\n    options:\n      heading: {name}\n      toc_label: {name}"


def write_reference() -> None:
    """Write a page of directives per public package, and the list of these pages."""
    folder = PAGES / "reference"
    folder.mkdir()
    rows = [REFERENCE]
    for package in PACKAGES:
        module = importlib.import_module(package)
        names = public_names(module)
        made = [directive(package, name, getattr(module, name)) for name in names]
        links = ", ".join(f"[`{name}`]({package}.md#{made[at][0]})" for at, name in enumerate(names))
        rows.append(f"| [`{package}`]({package}.md) | {links} |")
        text = "\n\n".join([f"# {package}", inspect.getdoc(module) or "", *(part for _, part in made)])
        (folder / f"{package}.md").write_text(text + "\n", encoding="utf-8")
    (folder / "README.md").write_text("\n".join(rows) + "\n", encoding="utf-8")


def main() -> None:
    stage()
    convert_notebooks()
    write_reference()
    subprocess.run([sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=ROOT, check=True)
    if broken := broken_links(SITE):
        sys.exit("Broken links:\n" + "\n".join(broken))
    print(f"{len(list(SITE.rglob('*.html')))} pages. To read them: python -m http.server --directory {SITE}")


if __name__ == "__main__":
    main()
