"""Pictures of a sentence and what was decided about its words: text, terminal colours, a video frame, SVG, HTML.

`Segmented` says what is drawn and its `spans` how the words are grouped; every rendering reads those. The two pictures
share their geometry as well. Nothing here imports torch, and Pillow is imported by the first picture.
"""

from hs_env.render.lines import to_ansi, to_html, to_text
from hs_env.render.pictures import to_rgb, to_svg
from hs_env.render.segmented import PALETTE, Palette, Segmented, Span, Verdict

__all__ = ["PALETTE", "Palette", "Segmented", "Span", "Verdict", "to_ansi", "to_html", "to_rgb", "to_svg", "to_text"]
