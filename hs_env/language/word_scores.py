"""Compare the boundaries of a language model with the words of a text that has no spaces."""

from __future__ import annotations

import torch
from torch import Tensor


def word_scores(boundaries: Tensor, ends: Tensor, lines: Tensor, counted: Tensor) -> dict[str, float]:
    """Score boundaries as a segmentation into words.

    The streams are consecutive parts of the text, so a word may continue in the next one. A line is segmented by
    itself: its two ends are known, and do not count as boundaries. A model can mark the last character of a word, or
    the first one of the next word as soon as it has read it. Both conventions have scores.

    Args:
        boundaries: (T, B, levels) floats, the boundaries at each character; one above 1/2 counts.
        ends: (T, B) bool, whether a character is the last one of a word.
        lines: (T, B) bool, whether a character is a line end, which is no part of a word.
        counted: (T, B) bool, True for the characters to count.

    Returns:
        For each level, `token_f1_1` (F1 of words with both ends right) and `boundary_f1_1` (F1 of boundaries inside
        lines) if boundaries mark last characters, and `start_token_f1_1` and `start_boundary_f1_1` if they mark first
        characters. 0 where there is nothing to find.
    """
    letters = (counted & ~lines).t().flatten()
    inside = torch.zeros_like(letters)
    inside[:-1] = letters[:-1] & letters[1:]  # the next character belongs to the same line
    gold, edges = ends.t().flatten()[letters], ~inside[letters]
    scores: dict[str, float] = {}
    for level, z in enumerate((boundaries > 0.5).unbind(-1), 1):
        last = z.t().flatten()[letters]
        first = z.t().flatten().roll(-1)[letters]
        for prefix, found in (("", last), ("start_", first)):
            scores[f"{prefix}token_f1_{level}"] = _f1(_tokens(found | edges), _tokens(gold | edges))
            scores[f"{prefix}boundary_f1_{level}"] = _f1(_places(found & ~edges), _places(gold & ~edges))
    return scores


def _places(marks: Tensor) -> Tensor:
    """Return the places that are True."""
    return marks.nonzero().squeeze(1)


def _tokens(ends: Tensor) -> Tensor:
    """Return a number for each token that depends on its first and last character only."""
    stops = _places(ends)
    starts = torch.cat([stops.new_zeros(1), stops[:-1] + 1]) if len(stops) else stops
    return starts * len(ends) + stops


def _f1(found: Tensor, gold: Tensor) -> float:
    """Return the F1 of two sets of numbers."""
    both = int(torch.isin(found, gold).sum())
    return 2 * both / max(len(found) + len(gold), 1)
