"""Renderings of a sentence and the decisions about its words: text, terminal colours, a video frame, SVG, HTML.

`Segmented` is what is drawn, and its `spans` are the groups of words that all renderings show. The two pictures share
their layout. Pillow is imported by the first picture. `Operations` are those of an HM-LSTM's layers.
"""

from hs_env.render.lines import to_ansi, to_html, to_text
from hs_env.render.operations import Operations, grid_legend, operations_svg, to_grid
from hs_env.render.pictures import to_rgb, to_svg
from hs_env.render.segmented import PALETTE, Palette, Prediction, Segmented, Span

__all__ = [
    "PALETTE",
    "Operations",
    "Palette",
    "Prediction",
    "Segmented",
    "Span",
    "grid_legend",
    "operations_svg",
    "to_ansi",
    "to_grid",
    "to_html",
    "to_rgb",
    "to_svg",
    "to_text",
]
