"""The grid of operations: what it says, how it wraps, and its picture."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from hs_env.errors import HsEnvError
from hs_env.render import Operations, grid_legend, operations_svg, to_grid

UPDATE, COPY, FLUSH = 0, 1, 2
AB = Operations(
    tuple("a b c"), ((UPDATE, UPDATE, FLUSH, UPDATE, FLUSH), (COPY, UPDATE, COPY, UPDATE, COPY)), (0, 1, 0, 1, 0)
)

GRID = """\
layer 2  .U.U.
layer 1  UUFUF
ends      1 1 \n\
text     a b c
"""


def test_the_grid_needs_no_colour() -> None:
    assert to_grid(AB).plain == GRID
    legend = grid_legend(2).plain
    assert all(f"{mark} {name}" in legend for mark, name in (("U", "UPDATE"), (".", "COPY"), ("F", "FLUSH")))
    assert "ends 1:" in legend
    assert "ends 1-3:" in grid_legend(4).plain


SYMBOLS = st.sampled_from(["a", " ", "\n", "映", "e\u0301", "\x1b", "word", "\u200b"])


@given(st.lists(st.tuples(SYMBOLS, st.integers(0, 2), st.integers(0, 2), st.integers(0, 1)), min_size=1), st.data())
def test_lines_fit_and_columns_stand_below_each_other(
    steps: list[tuple[str, int, int, int]], data: st.DataObject
) -> None:
    width = data.draw(st.integers(14, 60))
    symbols, *rest = zip(*steps, strict=True)
    shown = Operations(symbols, tuple(rest[:2]), rest[2])
    blocks = to_grid(shown, width).plain.split("\n\n")
    marks = {"layer 2": "", "layer 1": ""}
    for block in blocks:
        lines = block.rstrip("\n").split("\n")
        assert [line[:7].strip() for line in lines] == ["layer 2", "layer 1", "ends", "text"]
        assert all(cell_len(line) <= width for line in lines)
        assert cell_len(lines[0]) == cell_len(lines[1]) >= cell_len(lines[3])
        for line in lines[:2]:
            marks[line[:7]] += line[9:].replace(" ", "")
    for layer, taken in zip(("layer 1", "layer 2"), rest[:2], strict=True):
        assert marks[layer] == "".join("U.F"[each] for each in taken)
    assert not any(ord(character) < 32 for character in "".join(blocks).replace("\n", ""))


def test_the_picture_has_a_cell_per_step_and_wraps() -> None:
    def shapes(columns: int) -> tuple[int, int, float]:
        root = ElementTree.fromstring(operations_svg(AB, columns))
        tags = [element.tag.rpartition("}")[2] for element in root]
        return tags.count("path"), tags.count("text"), float(root.attrib["height"])

    cells, bars, legend = 10, 2, 4
    letters, labels, words = 3, 2, 4
    whole = shapes(48)
    assert whole[:2] == (cells + bars + legend, letters + labels + words)
    wrapped = shapes(3)
    assert wrapped[:2] == (cells + bars + legend, letters + 2 * labels + words)
    assert wrapped[2] > whole[2]


def test_markup_characters_are_escaped() -> None:
    ElementTree.fromstring(operations_svg(Operations(tuple("<&\x00>"), ((0,) * 4,), (0,) * 4)))


@pytest.mark.parametrize(("symbols", "taken", "ends"), [((), ((),), ()), (("a",), ((0, 1),), (0,))])
def test_lengths_must_agree(
    symbols: tuple[str, ...], taken: tuple[tuple[int, ...], ...], ends: tuple[int, ...]
) -> None:
    with pytest.raises(HsEnvError, match="as many in every layer"):
        Operations(symbols, taken, ends)
