"""A segmented sentence as one line: plain text, terminal colours, HTML."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from hs_env.render.segmented import PALETTE, SANS, Segmented


def to_text(segmented: Segmented) -> str:
    """One line of plain text.

    Args:
        segmented: What to draw.

    Returns:
        `[the movie] [is not] [very good]  → negative 0.93`, or `[the movie] [is …  · not very good` in progress. A
        wrong prediction is followed by `(gold positive)`.
    """
    return "".join(text for text, _, _ in _terminal(segmented))


def to_ansi(segmented: Segmented) -> str:
    """`to_text` in the 256 colours of a terminal: take the escape sequences away and the two are equal.

    Args:
        segmented: What to draw.

    Returns:
        One line; phrases in alternating colours, the prediction green when right, red when wrong, else blue.
    """
    parts = []
    for text, ink, fill in _terminal(segmented):
        codes = [f"38;5;{_xterm(ink)}"] if ink else []
        codes += [f"48;5;{_xterm(fill)}"] if fill else []
        parts.append(f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text)
    return "".join(parts)


def to_html(segmented: Segmented) -> str:
    """A fragment of HTML for notebooks and reports: one `div`, styles inline, well-formed as XML too.

    Args:
        segmented: What to draw.
    """
    chip = "padding:.2em .45em;border-radius:.35em;-webkit-box-decoration-break:clone;box-decoration-break:clone"
    parts = []
    for index, span in enumerate(segmented.spans):
        text = escape(segmented.text(span))
        if span.state == "unread":
            parts.append(f'<span style="color:{PALETTE.muted}">{text}</span>')
            continue
        shape = chip if span.state == "phrase" else f"{chip};border-top-right-radius:0;border-bottom-right-radius:0"
        colours = f"background:{PALETTE.phrases[index % 2]};color:{PALETTE.ink}"
        parts.append(f'<span style="{shape};{colours}">{text}</span>')
    if verdict := segmented.verdict:
        parts.append(f'<span style="color:{PALETTE.muted}">→</span>')
        colours = f"background:{verdict.colour};color:{PALETTE.on_colour}"
        parts.append(f'<span style="{chip};{colours}">{escape(verdict.text)}</span>')
        if verdict.note:
            parts.append(f'<span style="color:{PALETTE.muted}">{escape(verdict.note)}</span>')
    return f'<div style="font-family:{SANS};line-height:2">{" ".join(parts)}</div>'


def _terminal(segmented: Segmented) -> Iterator[tuple[str, str | None, str | None]]:
    """Pieces of the line for a terminal, each with the colour of its letters and of its background."""
    for index, span in enumerate(segmented.spans):
        if index:
            yield "  " if span.state == "unread" else " ", None, None
        text = segmented.text(span)
        if span.state == "unread":
            yield f"· {text}", PALETTE.muted, None
        else:
            yield f"[{text}" + ("]" if span.state == "phrase" else " …"), PALETTE.ink, PALETTE.phrases[index % 2]
    if verdict := segmented.verdict:
        yield "  → ", None, None
        yield verdict.text, verdict.colour, None
        if verdict.note:
            yield f" {verdict.note}", PALETTE.muted, None


def _xterm(colour: str) -> int:
    """The nearest colour of the 6 x 6 x 6 cube of a terminal."""
    levels = (0, 95, 135, 175, 215, 255)
    channels = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    red, green, blue = (min(range(6), key=lambda level: abs(levels[level] - value)) for value in channels)
    return 16 + 36 * red + 6 * green + blue
