"""Boxes and texts of a picture in pixels, and their SVG."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import NamedTuple

from hs_env.render.segmented import SANS


class Box(NamedTuple):
    """Filled rectangle in pixels; its left and right corners are round or not."""

    left: float
    top: float
    right: float
    bottom: float
    colour: str
    radius: float = 0.0
    round_left: bool = True
    round_right: bool = True


class Text(NamedTuple):
    """Text with its left and right edge and its baseline in pixels."""

    text: str
    left: float
    right: float
    baseline: float
    size: int
    colour: str


def to_document(title: str, marks: Iterable[Box | Text], width: float, height: float) -> str:
    """Return a complete SVG document with a transparent background.

    Args:
        title: Text that describes the picture.
        marks: Boxes and texts, those in front last.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
    """
    shapes = "\n".join(f"  {_markup(mark)}" for mark in marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.1f}" height="{height:.1f}" '
        f'viewBox="0 0 {width:.1f} {height:.1f}" font-family="{SANS}">\n'
        f"  <title>{escape(title)}</title>\n{shapes}\n</svg>\n"
    )


def _markup(mark: Box | Text) -> str:
    if isinstance(mark, Text):
        return (
            f'<text x="{(mark.left + mark.right) / 2:.1f}" y="{mark.baseline:.1f}" font-size="{mark.size}" '
            f'fill="{mark.colour}" text-anchor="middle" textLength="{mark.right - mark.left:.1f}" '
            f'lengthAdjust="spacingAndGlyphs">{escape(mark.text)}</text>'
        )
    left, right = (mark.radius if is_round else 0.0 for is_round in (mark.round_left, mark.round_right))
    path = (
        f"M{mark.left + left:.1f} {mark.top:.1f}H{mark.right - right:.1f}a{right:.1f} {right:.1f} 0 0 1 {right:.1f} "
        f"{right:.1f}V{mark.bottom - right:.1f}a{right:.1f} {right:.1f} 0 0 1 {-right:.1f} {right:.1f}"
        f"H{mark.left + left:.1f}a{left:.1f} {left:.1f} 0 0 1 {-left:.1f} {-left:.1f}V{mark.top + left:.1f}"
        f"a{left:.1f} {left:.1f} 0 0 1 {left:.1f} {-left:.1f}z"
    )
    return f'<path fill="{mark.colour}" d="{path}"/>'
