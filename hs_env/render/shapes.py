"""Measure words, and draw the smooth shapes of texts and boxes for a frame. All results are cached."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from importlib.util import find_spec
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

if TYPE_CHECKING:
    from PIL import Image, ImageFont

_SCALE = 4  # shapes are drawn this many times larger and then reduced, for smooth edges


@lru_cache(maxsize=256)
def _font(size: int, plain: bool = True) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Load Pillow's font, mostly ASCII, or matplotlib's if `plain` is False and matplotlib is installed."""
    from PIL import ImageFont

    found = None if plain else find_spec("matplotlib")
    if found and found.origin:
        path = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


def _plain(text: str) -> bool:
    return text.replace("…", "").isascii()


@lru_cache(maxsize=65536)
def width_of(text: str) -> float:
    """Measure a text.

    Args:
        text: Text to measure.

    Returns:
        Width in ems. Every wide East Asian character counts as 1 em.
    """
    narrow = "".join(letter for letter in text if east_asian_width(letter) not in "WF")
    return _font(100, _plain(narrow)).getlength(narrow) / 100 + len(text) - len(narrow)


@lru_cache(maxsize=65536)
def shorten(text: str, width: float) -> str:
    """Cut a text that is too wide.

    Args:
        text: Text to cut.
        width: Largest width in ems.

    Returns:
        The text itself if it fits, otherwise its beginning with an ellipsis.
    """
    if width_of(text) <= width:
        return text
    return text[: bisect_right(range(1, len(text)), width, key=lambda length: width_of(f"{text[:length]}…"))] + "…"


@lru_cache(maxsize=1024)
def rounded(width: int, height: int, radius: int, round_left: bool, round_right: bool) -> Image.Image:
    """Draw the shape of a box with round corners.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        radius: Radius of a corner in pixels.
        round_left: Whether the left corners are round.
        round_right: Whether the right corners are round.

    Returns:
        A greyscale mask, white inside the box.
    """
    from PIL import Image, ImageDraw

    large = Image.new("L", (width * _SCALE, height * _SCALE))
    edges = (0, 0, width * _SCALE - 1, height * _SCALE - 1)
    corners = (round_left, round_right, round_right, round_left)
    ImageDraw.Draw(large).rounded_rectangle(edges, radius * _SCALE, 255, corners=corners)
    return large.reduce(_SCALE)


@lru_cache(maxsize=4096)
def letters(text: str, size: int) -> tuple[Image.Image, int, int]:
    """Draw the shape of a text.

    Args:
        text: Text to draw.
        size: Font size in pixels.

    Returns:
        A greyscale mask, white inside the letters, and its left and top edge in pixels, relative to the start of the
        baseline.
    """
    from PIL import Image, ImageDraw

    font = _font(size * _SCALE, _plain(text))
    left, top, right, bottom = (edge / _SCALE for edge in font.getbbox(text, anchor="ls"))
    left, top = floor(left), floor(top)
    large = Image.new("L", (max(1, ceil(right) - left) * _SCALE, max(1, ceil(bottom) - top) * _SCALE))
    ImageDraw.Draw(large).text((-left * _SCALE, -top * _SCALE), text, 255, font, anchor="ls")
    return large.reduce(_SCALE), left, top
