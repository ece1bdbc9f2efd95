"""A sentence and what was decided about its words as one line: plain text, terminal colours, HTML."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final, NamedTuple

from hs_env.render.segmented import PALETTE, SANS, Segmented

_MARKS: Final = {
    "phrase": ("[", "]"),
    "open": ("[", " …"),
    "retained": ("", ""),
    "deleted": ("~~", "~~"),
    "unread": ("· ", ""),
}
"""What stands around words in plain text."""


class _Piece(NamedTuple):
    """A part of a line, the colours of its letters and of their background, and whether a line goes through them."""

    text: str
    ink: str | None = None
    fill: str | None = None
    struck: bool = False


def to_text(segmented: Segmented) -> str:
    """One line of plain text.

    Args:
        segmented: What to draw.

    Returns:
        `[the movie] [is not] [very good]  → negative 0.93`, or `[the movie] [is …  · not very good` in progress;
        `~~the movie is~~ not ~~very~~ good  → negative 0.93` where words are deleted, as Markdown strikes them through.
        A wrong prediction is followed by `(gold positive)`. In a hierarchy a phrase of a higher level has brackets of
        its own, and so on: `[[the movie] [is not]] [[very good]]`.
    """
    return "".join(piece.text for piece in _terminal(segmented))


def to_ansi(segmented: Segmented) -> str:
    """`to_text` in the 256 colours of a terminal: take the escape sequences away and the two are equal.

    Args:
        segmented: What to draw.

    Returns:
        One line; phrases in alternating colours, deleted words struck through, the prediction green when right, red
        when wrong, else blue.
    """
    parts = []
    for text, ink, fill, struck in _terminal(segmented):
        codes = [f"38;5;{_xterm(ink)}"] if ink else []
        codes += [f"48;5;{_xterm(fill)}"] if fill else []
        codes += ["9"] if struck else []
        parts.append(f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text)
    return "".join(parts)


def to_html(segmented: Segmented) -> str:
    """A fragment of HTML for notebooks and reports: one `div`, styles inline, well-formed as XML too.

    Args:
        segmented: What to draw.
    """
    chip = "padding:.2em .45em;border-radius:.35em;-webkit-box-decoration-break:clone;box-decoration-break:clone"
    parts = []
    for span in segmented.spans:
        text = escape(segmented.text(span))
        if span.colour is None:
            tag = "s" if span.state == "deleted" else "span"
            parts.append(f'<{tag} style="color:{PALETTE.muted}">{text}</{tag}>')
            continue
        shape = f"{chip};border-top-right-radius:0;border-bottom-right-radius:0" if span.state == "open" else chip
        parts.append(f'<span style="{shape};background:{span.colour};color:{PALETTE.ink}">{text}</span>')
    if verdict := segmented.verdict:
        parts.append(f'<span style="color:{PALETTE.muted}">→</span>')
        colours = f"background:{verdict.colour};color:{PALETTE.on_colour}"
        parts.append(f'<span style="{chip};{colours}">{escape(verdict.text)}</span>')
        if verdict.note:
            parts.append(f'<span style="color:{PALETTE.muted}">{escape(verdict.note)}</span>')
    return f'<div style="font-family:{SANS};line-height:2">{" ".join(parts)}</div>'


def _terminal(segmented: Segmented) -> Iterator[_Piece]:
    """Pieces of the line for a terminal."""
    for index, span in enumerate(segmented.spans):
        if index:
            yield _Piece("  " if span.state == "unread" else " ")
        left, right = _MARKS[span.state]
        ink = PALETTE.ink if span.colour else PALETTE.muted
        opened, closed = _outer(segmented, span.start), _outer(segmented, span.stop)
        if opened:
            yield _Piece("[" * opened, PALETTE.muted)
        yield _Piece(f"{left}{segmented.text(span)}{right}", ink, span.colour, span.state == "deleted")
        if closed:
            yield _Piece("]" * closed, PALETTE.muted)
    if verdict := segmented.verdict:
        yield _Piece("  → ")
        yield _Piece(verdict.text, verdict.colour)
        if verdict.note:
            yield _Piece(f" {verdict.note}", PALETTE.muted)


def _outer(segmented: Segmented, place: int) -> int:
    """How many phrases of higher levels begin and end at a place between words, 0 to their number."""
    if not segmented.ends:
        return 0
    return (segmented.ends[place - 1] if place else max(segmented.ends)) - 1


def _xterm(colour: str) -> int:
    """The nearest colour of the 6 x 6 x 6 cube of a terminal."""
    levels = (0, 95, 135, 175, 215, 255)
    channels = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    red, green, blue = (min(range(6), key=lambda level: abs(levels[level] - value)) for value in channels)
    return 16 + 36 * red + 6 * green + blue
