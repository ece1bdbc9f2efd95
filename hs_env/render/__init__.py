"""Renderings of a sentence and the decisions about its words: text, terminal colours, a video frame, SVG, HTML.

`Segmented` is what is drawn, and its `spans` are the groups of words that all renderings show. The two pictures share
their layout. Pillow is imported by the first picture.
"""

from hs_env.render.lines import to_ansi, to_html, to_text
from hs_env.render.pictures import to_rgb, to_svg
from hs_env.render.segmented import PALETTE, Palette, Prediction, Segmented, Span

__all__ = ["PALETTE", "Palette", "Prediction", "Segmented", "Span", "to_ansi", "to_html", "to_rgb", "to_svg", "to_text"]
