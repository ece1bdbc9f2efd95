"""Draw docs/architecture.svg: the parts of hs_env, their import order, and what each of them imports.

The order is the list `LAYERS` in tests/test_imports.py, which a test enforces. The imports are read from the source.
"""

from __future__ import annotations

import runpy
import textwrap
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "architecture.svg"

BOX, HEIGHT, GAP, LEFT, TOP, WIDTH = 108, 32, 8, 34, 36, 860
CHARACTERS = 100
"""Characters of the imports that fit in one line of the picture; the rest goes to a second line."""
FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"


def imports_of_parts(checks: dict[str, Any]) -> dict[str, list[str]]:
    """The parts that each part imports, from the source."""
    found: dict[str, set[str]] = {part: set() for part in checks["RANK"]}
    for module, file in checks["MODULES"].items():
        here = checks["part_of"](module)
        for name in checks["imports_of"](module, file.read_text(encoding="utf-8")) if here else ():
            if name.partition(".")[0] == "hs_env" and checks["part_of"](name) in found:
                found[here].add(checks["part_of"](name))
    rank = checks["RANK"]
    return {part: sorted(names - {part}, key=lambda name: (-rank[name], name)) for part, names in found.items()}


def draw() -> str:
    """The picture as SVG: one row per layer, the layer that everything may import from at the bottom."""
    checks = runpy.run_path(str(ROOT / "tests" / "test_imports.py"))
    layers, imports = checks["LAYERS"], imports_of_parts(checks)
    shapes, y = list[str](), TOP
    for layer in reversed(layers):
        parts = sorted(layer)
        for column, part in enumerate(parts):
            x = LEFT + column * (BOX + GAP)
            shapes.append(f'<rect x="{x}" y="{y}" width="{BOX}" height="{HEIGHT}" rx="5" fill="#c0dcf7"/>')
            shapes.append(f'<text x="{x + BOX // 2}" y="{y + 21}" text-anchor="middle" font-size="14">{part}</text>')
        lines = [", ".join(imports[part]) for part in parts if imports[part]]
        if len(set(lines)) > 1:
            lines = [f"{part}: {', '.join(imports[part])}" for part in parts if imports[part]]
        else:
            lines = textwrap.wrap(lines[0], CHARACTERS) if lines else []
        x = LEFT + len(parts) * (BOX + GAP) + 4
        for row, line in enumerate(lines):
            down = 20 if len(lines) == 1 else 13 + 14 * row
            shapes.append(f'<text x="{x}" y="{y + down}" font-size="12" fill="#333">{escape(line)}</text>')
        y += HEIGHT + GAP
    arrow = f"M16 {TOP}V{y - 18}m-5 -8l5 8l5 -8"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{y}" '
            f'viewBox="0 0 {WIDTH} {y}" font-family="{FONT}">',
            "<title>The parts of hs_env; each one imports only from rows below its own</title>",
            f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>',
            f'<text x="{LEFT}" y="20" font-size="13" fill="#333">Each part imports only from rows below its own; '
            "beside it, what it imports</text>",
            f'<path d="{arrow}" fill="none" stroke="#555" stroke-width="1.5"/>',
            *shapes,
            "</svg>\n",
        ]
    )


def main() -> None:
    PICTURE.write_text(draw(), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))


if __name__ == "__main__":
    main()
