"""Widths of words, and the smooth shapes of letters and boxes that a frame is stamped from. All of it is cached."""

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

_FINE = 4  # shapes are drawn this many times larger, for smooth edges and exact widths


@lru_cache(maxsize=256)
def _font(size: int, plain: bool = True) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, which is plain ASCII and little more, or the one that comes with matplotlib where it is."""
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
    """Width in ems; a letter of the East Asian scripts is a square."""
    narrow = "".join(letter for letter in text if east_asian_width(letter) not in "WF")
    return _font(100, _plain(narrow)).getlength(narrow) / 100 + len(text) - len(narrow)


@lru_cache(maxsize=65536)
def shorten(text: str, width: float) -> str:
    """`text`, cut with an ellipsis where it is wider than `width` ems."""
    if width_of(text) <= width:
        return text
    return text[: bisect_right(range(1, len(text)), width, key=lambda length: width_of(f"{text[:length]}…"))] + "…"


@lru_cache(maxsize=1024)
def rounded(width: int, height: int, radius: int, round_left: bool, round_right: bool) -> Image.Image:
    """The shape of a box with smooth corners."""
    from PIL import Image, ImageDraw

    large = Image.new("L", (width * _FINE, height * _FINE))
    edges = (0, 0, width * _FINE - 1, height * _FINE - 1)
    corners = (round_left, round_right, round_right, round_left)
    ImageDraw.Draw(large).rounded_rectangle(edges, radius * _FINE, 255, corners=corners)
    return large.reduce(_FINE)


@lru_cache(maxsize=4096)
def letters(text: str, size: int) -> tuple[Image.Image, int, int]:
    """The shape of a text, as wide as `width_of` says, and its corner seen from the start of the baseline."""
    from PIL import Image, ImageDraw

    font = _font(size * _FINE, _plain(text))
    left, top, right, bottom = (edge / _FINE for edge in font.getbbox(text, anchor="ls"))
    left, top = floor(left), floor(top)
    large = Image.new("L", (max(1, ceil(right) - left) * _FINE, max(1, ceil(bottom) - top) * _FINE))
    ImageDraw.Draw(large).text((-left * _FINE, -top * _FINE), text, 255, font, anchor="ls")
    return large.reduce(_FINE), left, top
