"""Draw what each layer of HM-LSTM does at each step: a grid of layers by steps, as text for a terminal and as SVG.

The picture follows figures 3 and 4 of Chung, Ahn, Bengio (ICLR 2017): layers one above the other, the text below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.text import Text as Line

from hs_env.errors import HsEnvError
from hs_env.render.marks import Box, Text, to_document
from hs_env.render.segmented import PALETTE, printable
from hs_env.render.shapes import width_of
from hs_env.types import OPERATIONS

_LETTERS: Final = ("U", ".", "F")
"""Marks of UPDATE, COPY and FLUSH in a terminal."""
_MEANINGS: Final = ("an LSTM step", "the state stays", "hands its state up, then a step from an empty state")
_STYLES: Final = ("bold blue", "dim", "bold magenta")
_FILLS: Final = (PALETTE.phrases[0], None, PALETTE.neutral)
"""Colours of UPDATE, COPY and FLUSH in a picture; COPY has none."""
_ENDS: Final = "ends"
_COLUMN, _ROW, _SIZE = 15, 15, 14  # pixels of a cell, and of the font


@dataclass(frozen=True)
class Operations:
    """What L layers do at the steps of a text.

    Attributes:
        symbols: Character or word of each step.
        taken: For each layer, lowest first, its operation at each step: a position in `OPERATIONS`.
        ends: Number of levels of segments that end after each step.

    Raises:
        HsEnvError: If there is no step, or the lengths differ.
    """

    symbols: tuple[str, ...]
    taken: tuple[tuple[int, ...], ...]
    ends: tuple[int, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.symbols), len(self.ends), *map(len, self.taken)}
        if len(lengths) != 1 or not self.symbols:
            raise HsEnvError(f"Expected one or more steps, as many in every layer; got {sorted(lengths)}.")

    @property
    def shown(self) -> tuple[str, ...]:
        """Printable symbol of each step."""
        return tuple(printable(symbol.replace("\n", "¶")) for symbol in self.symbols)

    def steps(self, start: int, stop: int) -> Operations:
        """Return the operations of the steps from `start` up to `stop`, which is left out; one or more must remain."""
        taken = tuple(layer[start:stop] for layer in self.taken)
        return Operations(self.symbols[start:stop], taken, self.ends[start:stop])


def to_grid(operations: Operations, width: int = 80) -> Line:
    """Draw operations as lines of a terminal: layers from top to bottom, then where segments end, then the text.

    Args:
        operations: Operations to draw.
        width: Width of the terminal in characters. Longer texts are wrapped.

    Returns:
        Lines that are readable without their styles; `grid_legend` explains their marks.
    """
    label = len(f"layer {len(operations.taken)}")
    blocks = [_block(block, label) for block in _wrapped(operations, width - label - 2)]
    return Line("\n").join(blocks)


def grid_legend(layers: int) -> Line:
    """Explain the marks of `to_grid` for so many layers."""
    legend = [
        Line.assemble((mark, style), f" {name}: {meaning}")
        for mark, style, name, meaning in zip(_LETTERS, _STYLES, OPERATIONS, _MEANINGS, strict=True)
    ]
    numbers = "1" if layers <= 2 else f"1-{layers - 1}"
    legend.append(Line(f"{_ENDS} {numbers}: number of levels of which a segment ends after the character"))
    return Line("\n").join(legend)


def _wrapped(operations: Operations, room: int) -> Iterator[Operations]:
    """Yield parts of the steps that fit in `room` columns of a terminal, at least one step each."""
    start = used = 0
    for step, symbol in enumerate(operations.shown):
        if used and used + _cells(symbol) > room:
            yield operations.steps(start, step)
            start, used = step, 0
        used += _cells(symbol)
    yield operations.steps(start, len(operations.symbols))


def _cells(symbol: str) -> int:
    return max(cell_len(symbol), 1)


def _block(operations: Operations, label: int) -> Line:
    """Draw steps that fit in one line each."""
    widths = [_cells(symbol) for symbol in operations.shown]
    lines = []
    for number, layer in reversed(list(enumerate(operations.taken, 1))):
        cells = [(_LETTERS[taken].ljust(width), _STYLES[taken]) for taken, width in zip(layer, widths, strict=True)]
        lines.append(Line.assemble(f"layer {number}".ljust(label + 2), *cells))
    ends = "".join((str(end) if end else " ").ljust(width) for end, width in zip(operations.ends, widths, strict=True))
    shown = "".join(symbol + " " * (_cells(symbol) - cell_len(symbol)) for symbol in operations.shown)
    lines += [Line(f"{_ENDS.ljust(label + 2)}{ends}"), Line(f"{'text'.ljust(label + 2)}{shown}\n")]
    return Line("\n").join(lines)


def operations_svg(operations: Operations, columns: int = 48) -> str:
    """Draw operations as an SVG picture with a transparent background.

    UPDATE is a light cell, FLUSH a dark one, and COPY an empty one. A bar after a character marks the end of a segment,
    and crosses the text and as many layers as levels end.

    Args:
        operations: Operations to draw.
        columns: Largest number of steps in a line.

    Returns:
        A complete SVG document.
    """
    count, labels = len(operations.taken), 5 * _SIZE
    pitch = (count + 2.5) * _ROW
    marks: list[Box | Text] = []
    starts = range(0, len(operations.symbols), columns)
    for line, start in enumerate(starts):
        part = operations.steps(start, min(start + columns, len(operations.symbols)))
        marks += _picture(part, labels, line * pitch)
    marks += _legend(len(starts) * pitch)
    width, height = max(mark.right for mark in marks) + 2, len(starts) * pitch + 1.2 * _ROW
    return to_document(f"Operations of {count} layers: {''.join(operations.shown)}", marks, width, height)


def _picture(operations: Operations, left: float, top: float) -> Iterator[Box | Text]:
    """Yield the marks of one line, below `top`."""
    count = len(operations.taken)
    below = top + count * _ROW
    for number, layer in enumerate(operations.taken, 1):
        edge = below - number * _ROW
        yield _written(f"layer {number}", 0, edge + 0.8 * _ROW, PALETTE.muted)
        for step, taken in enumerate(layer):
            yield _cell(left + step * _COLUMN, edge, taken)
    for step, (symbol, end) in enumerate(zip(operations.shown, operations.ends, strict=True)):
        x = left + step * _COLUMN
        if symbol.strip():
            room = min(width_of(symbol) * _SIZE, _COLUMN)
            middle = x + _COLUMN / 2
            baseline = below + 1.2 * _ROW
            yield Text(symbol, middle - room / 2, middle + room / 2, baseline, _SIZE, PALETTE.muted)
        if end:
            right = x + _COLUMN
            yield Box(right - 1, below - end * _ROW, right + 1, below + 1.6 * _ROW, PALETTE.wrong)


def _cell(left: float, top: float, taken: int) -> Box:
    """Return the cell of an operation; that of COPY is a thin line."""
    fill = _FILLS[taken]
    if fill is None:
        middle = top + _ROW / 2
        return Box(left + 4, middle - 0.5, left + _COLUMN - 4, middle + 0.5, PALETTE.track)
    return Box(left + 1, top + 1, left + _COLUMN - 1, top + _ROW - 1, fill, 2)


def _legend(top: float) -> Iterator[Box | Text]:
    left = 0.0
    for taken, name in enumerate(OPERATIONS):
        yield _cell(left, top, taken)
        text = _written(name, left + _COLUMN + 4, top + 0.8 * _ROW, PALETTE.muted)
        yield text
        left = text.right + 1.5 * _COLUMN
    yield Box(left, top, left + 2, top + _ROW, PALETTE.wrong)
    yield _written("end of a segment", left + 8, top + 0.8 * _ROW, PALETTE.muted)


def _written(text: str, left: float, baseline: float, colour: str) -> Text:
    return Text(text, left, left + width_of(text) * _SIZE, baseline, _SIZE, colour)
