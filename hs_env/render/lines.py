"""Draw a sentence and the actions on its words as one line: plain text, terminal colours or HTML."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final, NamedTuple

from hs_env.render.segmented import PALETTE, SANS, Segmented

_MARKS: Final = {
    "phrase": ("[", "]"),
    "open": ("[", " …"),
    "tree": ("", ""),
    "retained": ("", ""),
    "deleted": ("~~", "~~"),
    "unread": ("· ", ""),
    "whole": ("", ""),
}
"""Text before and after the words of a span, by the state of the span."""


class _Piece(NamedTuple):
    """Part of a line: text, its colour (`ink`), its background (`fill`), and whether it is struck through."""

    text: str
    ink: str | None = None
    fill: str | None = None
    struck: bool = False


def to_text(segmented: Segmented) -> str:
    """Draw a sentence as one line of plain text.

    Args:
        segmented: Sentence to draw.

    Returns:
        The line. Phrases are in brackets, as in `[the movie] [is not] [very good]  → negative 0.93`, or
        `[the movie] [is …  · not very good` during an episode. In a hierarchy every level has its own brackets:
        `[[the movie] [is not]] [[very good]]`. Deleted words are struck through as in Markdown:
        `~~the movie is~~ not ~~very~~ good  → negative 0.93`. The gold label follows a wrong prediction:
        `(gold positive)`.
    """
    return "".join(piece.text for piece in _pieces(segmented))


def to_ansi(segmented: Segmented) -> str:
    """Draw a sentence as one line in the 256 colours of a terminal.

    Args:
        segmented: Sentence to draw.

    Returns:
        The line of `to_text` with escape sequences. Phrases have alternating colours, and deleted words are struck
        through. The prediction is green if it is right, red if it is wrong, and blue if there is no gold label.
    """
    parts = []
    for text, ink, fill, struck in _pieces(segmented):
        codes = [f"38;5;{_xterm(ink)}"] if ink else []
        codes += [f"48;5;{_xterm(fill)}"] if fill else []
        codes += ["9"] if struck else []
        parts.append(f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text)
    return "".join(parts)


def to_html(segmented: Segmented) -> str:
    """Draw a sentence as an HTML fragment for notebooks and reports.

    Args:
        segmented: Sentence to draw.

    Returns:
        One `div` with inline styles, which is well-formed XML too.
    """
    chip = "padding:.2em .45em;border-radius:.35em;-webkit-box-decoration-break:clone;box-decoration-break:clone"
    parts = []
    for span in segmented.spans:
        text = escape(segmented.text(span))
        if span.colour is None:
            tag = "s" if span.state == "deleted" else "span"
            ink = "inherit" if span.state == "whole" else span.ink  # so that a dark page can be read
            parts.append(f'<{tag} style="color:{ink}">{text}</{tag}>')
            continue
        shape = f"{chip};border-top-right-radius:0;border-bottom-right-radius:0" if span.state == "open" else chip
        parts.append(f'<span style="{shape};background:{span.colour};color:{PALETTE.ink}">{text}</span>')
    if predicted := segmented.prediction_text:
        parts.append(f'<span style="color:{PALETTE.muted}">→</span>')
        colours = f"background:{predicted.colour};color:{PALETTE.on_colour}"
        parts.append(f'<span style="{chip};{colours}">{escape(predicted.text)}</span>')
        if predicted.note:
            parts.append(f'<span style="color:{PALETTE.muted}">{escape(predicted.note)}</span>')
    return f'<div style="font-family:{SANS};line-height:2">{" ".join(parts)}</div>'


def _pieces(segmented: Segmented) -> Iterator[_Piece]:
    """Yield the pieces of the line for `to_text` and `to_ansi`."""
    for index, span in enumerate(segmented.spans):
        if index:
            yield _Piece("  " if span.state == "unread" else " ")
        left, right = _MARKS[span.state]
        opened, closed = _outer_brackets(segmented, span.start), _outer_brackets(segmented, span.stop)
        if opened:
            yield _Piece("[" * opened, PALETTE.muted)
        ink = None if span.state == "whole" else span.ink  # the terminal's own colour, on any background
        yield _Piece(f"{left}{segmented.text(span)}{right}", ink, span.colour, span.state == "deleted")
        if closed:
            yield _Piece("]" * closed, PALETTE.muted)
    if predicted := segmented.prediction_text:
        yield _Piece("  → ")
        yield _Piece(predicted.text, predicted.colour)
        if predicted.note:
            yield _Piece(f" {predicted.note}", PALETTE.muted)


def _outer_brackets(segmented: Segmented, position: int) -> int:
    """Count the phrases of higher levels that begin or end before word `position`."""
    if not segmented.ends:
        return 0
    return (segmented.ends[position - 1] if position else max(segmented.ends)) - 1


def _xterm(colour: str) -> int:
    """Find the nearest colour in the 6 x 6 x 6 colour cube of a terminal."""
    levels = (0, 95, 135, 175, 215, 255)
    channels = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    red, green, blue = (min(range(6), key=lambda level: abs(levels[level] - value)) for value in channels)
    return 16 + 36 * red + 6 * green + blue
