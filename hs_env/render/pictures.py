"""Draw a sentence and the actions on its words as a picture: a video frame or an SVG.

Both share one layout. `_place` gives each word a line and a position in ems, and `_scene` and `_footer` turn these into
boxes and texts in pixels. In a frame all spaces between words have the same width, within and between phrases. So the
words of a video do not move while phrases grow around them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hs_env.errors import HsEnvError
from hs_env.render.lines import to_text
from hs_env.render.marks import Box, Text, to_document
from hs_env.render.segmented import PALETTE, Segmented, printable
from hs_env.render.shapes import letters, rounded, shorten, width_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Sizes are in ems of the font of the words, unless a comment gives another unit.
_PAD = 0.22  # distance from a word to the edge of its box
_GAP = 0.52  # space between two words, with room for the edges of two boxes
_SPACE = 0.3  # space between two words of a phrase in an SVG, where nothing moves; none between characters
_LINE = 1.85  # distance from one line to the next
_TREE = 0.9  # additional distance for the bars of a tree
_BAR_STEP = 0.16  # largest distance from one level of a tree to the next
_BOX = 1.46  # height of a box
_BASELINE = 0.34  # distance from the middle of a line down to its baseline
_STRIKE = 0.08  # distance from the middle of a line down to the stroke through a deleted word
_RADIUS = 0.32  # radius of a corner
_LONGEST = 20.0  # largest width of a word; longer ones are cut
_BAR = 7.0  # length of the probability bar, in ems of the footer
_SIZES = range(32, 8, -1)  # font sizes of a frame, pixels
_SMALLEST = (160, 96)  # frame, pixels


class _PlacedWord(NamedTuple):
    """Word in the layout: its line, from 0, and its edges in ems."""

    text: str
    line: int
    left: float
    right: float


def to_rgb(segmented: Segmented, width: int = 720, height: int = 288) -> NDArray[np.uint8]:
    """Draw a sentence as a video frame.

    The font shrinks until the sentence fits. If it does not fit in the smallest font, the frame scrolls to the line of
    the current word. Characters that are neither in Pillow's font nor in matplotlib's (such as Chinese) are drawn as
    empty boxes.

    Args:
        segmented: Sentence to draw.
        width: Width in pixels, at least 160.
        height: Height in pixels, at least 96.

    Returns:
        (height, width, 3) uint8 RGB, the same for the same arguments.

    Raises:
        HsEnvError: If the frame is too small.
    """
    if width < _SMALLEST[0] or height < _SMALLEST[1]:
        raise HsEnvError(f"a frame needs at least {_SMALLEST[0]} x {_SMALLEST[1]} pixels, got {width} x {height}")
    margin = min(width, height) // 12
    footer_size = max(11, min(18, height // 16))
    room_width, room_height = width - 2 * margin, height - 3 * margin - round(_BOX * footer_size)
    pitch = _pitch(segmented)
    size, placed = _fit(segmented.words, room_width, room_height, pitch)
    shown = int(room_height / (pitch * size))
    current = placed[min(len(segmented.actions), len(placed) - 1)].line
    first = max(0, current + 1 - shown)
    lines = min(shown, placed[-1].line + 1)
    top = margin + (room_height - lines * pitch * size) / 2
    scene = _scene(segmented, placed, size, (margin, top), range(first, first + shown))
    scene += _footer(segmented, margin, height - margin - _BOX * footer_size / 2, room_width, footer_size)
    return _paint(scene, width, height)


def to_svg(segmented: Segmented, width: int = 720, size: int = 20) -> str:
    """Draw a sentence as an SVG picture with a transparent background, legible on light and dark pages.

    Args:
        segmented: Sentence to draw.
        width: Largest width of a line in pixels. The picture is as wide as its longest line.
        size: Font size in pixels.

    Returns:
        A complete SVG document.
    """
    runs: list[tuple[int, int]] = []
    for span in segmented.spans:
        whole = span.state in ("phrase", "open")
        runs += [(span.start, span.stop)] if whole else [(word, word + 1) for word in range(span.start, span.stop)]
    placed = _place(segmented.words, tuple(runs), width / size, _SPACE if segmented.unit == "words" else 0.0)
    lines = placed[-1].line + 1
    scene = _scene(segmented, placed, size, (0, 0), range(lines))
    if all(span.state == "whole" for span in segmented.spans):  # no boxes behind the words
        scene = [mark._replace(colour=PALETTE.muted) for mark in scene]
    height = lines * _pitch(segmented) * size
    if segmented.prediction_text:
        footer_size = round(size * 0.8)
        scene += _footer(segmented, 0, height + _BOX * footer_size, width, footer_size)
        height += 1.6 * _BOX * footer_size
    right = max(mark.right for mark in scene)
    return to_document(to_text(segmented), scene, right, height)


# Layout


def _place(
    words: tuple[str, ...], runs: tuple[tuple[int, int], ...], width: float, space: float = _GAP
) -> tuple[_PlacedWord, ...]:
    """Place words on lines of `width` ems.

    A run (start, stop) of words stays on one line if it fits. Words of a run are `space` ems apart.
    """
    texts = [shorten(printable(word), min(_LONGEST, width - 2 * _PAD)) for word in words]
    widths = [width_of(text) for text in texts]
    placed = []
    line, left = 0, _PAD
    for start, stop in runs:
        whole = sum(widths[start:stop]) + space * (stop - start - 1)
        for word in range(start, stop):
            needed = whole if word == start and whole + 2 * _PAD <= width else widths[word]
            if left > _PAD and left + needed + _PAD > width:
                line, left = line + 1, _PAD
            placed.append(_PlacedWord(texts[word], line, left, left + widths[word]))
            left += widths[word] + (space if word + 1 < stop else _GAP)
    return tuple(placed)


def _pitch(segmented: Segmented) -> float:
    """Return the distance from one line to the next, in ems."""
    return _LINE + _TREE * (segmented.problem is not None and segmented.problem.nested)


@lru_cache(maxsize=128)
def _fit(words: tuple[str, ...], width: int, height: int, pitch: float) -> tuple[int, tuple[_PlacedWord, ...]]:
    """Find the largest font size whose layout fits the pixels, otherwise the smallest, and place the words.

    The layout is independent of the phrases. Punctuation stays on the line of the word before it.
    """
    starts = [i for i, word in enumerate(words) if i == 0 or any(map(str.isalnum, word))]
    runs = tuple(zip(starts, [*starts[1:], len(words)], strict=True))
    longest = min(_LONGEST, max(width_of(printable(word)) for word in words)) + 2 * _PAD
    for size in _SIZES:
        if longest * size > width and size != _SIZES[-1]:
            continue
        placed = _place(words, runs, width / size)
        if (placed[-1].line + 1) * pitch * size <= height:
            break
    return size, placed


def _scene(
    segmented: Segmented, placed: tuple[_PlacedWord, ...], size: int, corner: tuple[float, float], lines: range
) -> list[Box | Text]:
    """Draw the visible `lines`, the first of them at `corner` (left, top): first boxes and strokes, then words."""
    scene: list[Box | Text] = []

    def middle(line: int) -> float:
        return corner[1] + ((line - lines.start) * _pitch(segmented) + 0.5 * _LINE) * size

    for span in segmented.spans:
        words = placed[span.start : span.stop]
        for line in sorted({word.line for word in words}.intersection(lines)):
            part = [word for word in words if word.line == line]
            begins, ends = part[0] == words[0], part[-1] == words[-1] and span.state != "open"
            pad = _PAD if span.colour else 0.0
            left, right = corner[0] + (part[0].left - pad) * size, corner[0] + (part[-1].right + pad) * size
            if span.colour:
                top, bottom = middle(line) - _BOX / 2 * size, middle(line) + _BOX / 2 * size
                scene.append(Box(left, top, right, bottom, span.colour, _RADIUS * size, begins, ends))
            elif span.state == "deleted":
                through = middle(line) + _STRIKE * size
                scene.append(Box(left, through, right, through + size / 14, PALETTE.muted))
            elif begins and span.state == "unread":  # underline the word to decide on
                under = middle(line) + (_BASELINE + 0.2) * size
                scene.append(Box(left, under, corner[0] + part[0].right * size, under + size / 10, PALETTE.neutral))
            for text, _, start, stop in part:
                edges = corner[0] + start * size, corner[0] + stop * size
                scene.append(Text(text, *edges, middle(line) + _BASELINE * size, size, span.ink))
    scene += _bars(segmented, placed, size, corner[0], {line: middle(line) + _BOX / 2 * size for line in lines})
    return sorted(scene, key=lambda mark: isinstance(mark, Text))


def _bars(
    segmented: Segmented, placed: tuple[_PlacedWord, ...], size: int, left: float, tops: dict[int, float]
) -> list[Box]:
    """Draw a bar under the words of each span of a tree, outer ones below; `tops` are the edges of visible lines."""
    brackets = segmented.brackets
    step = min(_BAR_STEP, _TREE / (1 + max((each.level for each in brackets), default=0)))
    bars = []
    for start, stop, level in brackets:
        words = placed[start:stop]
        for line in sorted({word.line for word in words}.intersection(tops)):
            part = [word for word in words if word.line == line]
            top = tops[line] + level * step * size
            edges = left + part[0].left * size, left + part[-1].right * size
            bars.append(Box(edges[0], top, edges[1], top + step / 2 * size, PALETTE.neutral))
    return bars


def _footer(segmented: Segmented, left: float, middle: float, width: float, size: int) -> list[Box | Text]:
    """Draw the prediction with its probability bar and a note, or without one the progress, in `width` pixels."""
    scene: list[Box | Text] = []
    end = left + width
    note = f"{len(segmented.actions)} of {len(segmented.words)} words"
    if predicted := segmented.prediction_text:
        name = shorten(predicted.name, 0.6 * width / size - width_of(f" {predicted.probability}") - 1.2)
        text = predicted._replace(name=name).text
        right = left + (width_of(text) + 1.2) * size
        top, bottom = middle - _BOX / 2 * size, middle + _BOX / 2 * size
        scene.append(Box(left, top, right, bottom, predicted.colour, _BOX / 2 * size))
        baseline = middle + _BASELINE * size
        scene.append(Text(text, left + 0.6 * size, right - 0.6 * size, baseline, size, PALETTE.on_colour))
        left = right + 0.7 * size
        note = predicted.note
    if predicted and segmented.probability is not None and (length := min(_BAR * size, end - left)) > 2 * size:
        half = size / 5
        filled = left + min(1.0, max(2 * half / length, segmented.probability)) * length
        scene.append(Box(left, middle - half, left + length, middle + half, PALETTE.track, half))
        scene.append(Box(left, middle - half, filled, middle + half, predicted.colour, half))
        left += length + 0.7 * size
    if note and end - left > 4 * size:
        note = shorten(note, (end - left) / size)
        scene.append(Text(note, left, left + width_of(note) * size, middle + _BASELINE * size, size, PALETTE.muted))
    return scene


# Output


def _paint(scene: list[Box | Text], width: int, height: int) -> NDArray[np.uint8]:
    from PIL import Image

    image = Image.new("RGB", (width, height), PALETTE.paper)
    for mark in scene:
        if isinstance(mark, Box):
            left, top = round(mark.left), round(mark.top)
            area = max(1, round(mark.right) - left), max(1, round(mark.bottom) - top)
            stencil = rounded(*area, round(mark.radius), mark.round_left, mark.round_right)
        else:
            stencil, right, down = letters(mark.text, mark.size)
            left, top = round(mark.left) + right, round(mark.baseline) + down
        image.paste(mark.colour, (left, top), stencil)
    return np.array(image, dtype=np.uint8)
