"""Scores of a segmentation into words, against words that are written out."""

from __future__ import annotations

import pytest
import torch

from hs_env.language.word_scores import word_scores

LETTERS = "thecatsat" + "\n" + "onamat"
GOLD = [["the", "cat", "sat"], ["on", "a", "mat"]]


def marks(lines: list[list[str]]) -> torch.Tensor:
    """True at the last character of each word, and False at line ends."""
    flags: list[bool] = []
    for number, line in enumerate(lines):
        flags += [at == len(word) - 1 for word in line for at in range(len(word))]
        flags += [False] * (number < len(lines) - 1)
    return torch.tensor(flags)


def scores(found: torch.Tensor) -> dict[str, float]:
    """Scores of one stream whose boundaries are `found`."""
    column = found[:, None]
    counted = torch.ones_like(column)
    lines = torch.tensor([letter == "\n" for letter in LETTERS])[:, None]
    ends = marks(GOLD)[:, None]
    return word_scores(column[..., None].float(), ends, lines, counted)


@pytest.mark.parametrize("last", [True, False])
def test_words_and_boundaries_are_counted(last: bool) -> None:
    """4 of 6 words, 3 of 4 boundaries; boundaries mark last characters, or first ones."""
    found = marks([["the", "ca", "tsat"], ["on", "a", "mat"]])
    prefix = "" if last else "start_"
    result = scores(found if last else found.roll(1))
    assert result[f"{prefix}token_f1_1"] == pytest.approx(2 * 4 / 12)
    assert result[f"{prefix}boundary_f1_1"] == pytest.approx(2 * 3 / 8)


def test_the_ends_of_lines_are_known() -> None:
    nothing = scores(torch.zeros(len(LETTERS), dtype=torch.bool))
    assert nothing["token_f1_1"] == nothing["boundary_f1_1"] == 0.0
    everything = scores(torch.ones(len(LETTERS), dtype=torch.bool))
    assert everything["token_f1_1"] == pytest.approx(2 * 1 / (15 + 6))  # "a"
    assert everything["boundary_f1_1"] == pytest.approx(2 * 4 / (13 + 4))


def test_words_go_on_in_the_next_stream_and_padding_does_not_count() -> None:
    """Two streams of four letters, of which the last one is padding: `ab c d` and `e fg`, which is `ab c de fg`."""
    ends = torch.tensor([[False, True], [True, False], [True, True], [False, False]])
    counted = torch.tensor([[True, True], [True, True], [True, True], [True, False]])
    lines = torch.zeros_like(ends)
    result = word_scores(ends[..., None].float(), ends, lines, counted)
    assert result["token_f1_1"] == result["boundary_f1_1"] == 1.0
    changed = ends.clone()
    changed[3, 1] = True
    assert word_scores(changed[..., None].float(), ends, lines, counted) == result
    cut = ends.clone()
    cut[3, 0] = True  # after the d
    result = word_scores(cut[..., None].float(), ends, lines, counted)
    assert result["token_f1_1"] == pytest.approx(2 * 3 / (5 + 4))
    assert result["boundary_f1_1"] == pytest.approx(2 * 3 / (4 + 3))
