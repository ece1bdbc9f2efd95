"""Replace the generated parts of pages: what is between `<!-- NAME, by ... -->` and `<!-- end of NAME -->`."""

from __future__ import annotations

import re
from pathlib import Path

from hs_env.errors import HsEnvError
from hs_env.storage import write_atomically


def marked(page: str, name: str, content: str) -> str:
    """Return a page with other content between the marks of a name.

    Raises:
        HsEnvError: If the page does not have these marks once.
    """
    marks = re.compile(rf"(<!-- {name}, by [^\n]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    changed, count = marks.subn(lambda match: match[1] + content + match[2], page)
    if count != 1:
        raise HsEnvError(f"The page has the marks of {name!r} {count} times, expected once.")
    return changed


def write_marked(path: Path, name: str, content: str) -> None:
    """Change the content between the marks of a name in the file of a page."""
    write_atomically(path, marked(path.read_text(encoding="utf-8"), name, content).encode())
