"""Check the links between the pages of a built site, with their anchors."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Links(HTMLParser):
    """The links and anchors of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record what a tag links to, and its name as an anchor."""
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.targets.add(value)
            elif name in {"id", "name"} and value:
                self.anchors.add(value)


def broken_links(site: Path) -> list[str]:
    """Return each link of a site that leads to no file or no anchor of it, as `page: link`."""
    pages = {page.resolve(): Links(page) for page in site.rglob("*.html")}
    broken = []
    for page, links in pages.items():
        for target in sorted(links.targets):
            address = urlsplit(target)
            if address.scheme or address.netloc or page.name == "404.html":
                continue
            path = (page.parent / unquote(address.path)).resolve() if address.path else page
            path = path / "index.html" if path.is_dir() else path
            missing = address.fragment and path in pages and unquote(address.fragment) not in pages[path].anchors
            if not path.is_file() or missing:
                broken.append(f"{page.relative_to(site.resolve())}: {target}")
    return broken
