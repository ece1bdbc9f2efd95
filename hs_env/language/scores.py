"""Evaluate a language model on a text: bits per character, and rates of its boundaries and operations."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import nll_loss

from hs_env.compute import CPU, isolated
from hs_env.errors import HsEnvError
from hs_env.language.cores import State
from hs_env.language.models import CharacterLM
from hs_env.language.word_scores import word_scores

STREAMS = 50
"""Largest number of parts of a text that are read in parallel by default."""
_PART = 500
"""Smallest number of characters of such a part."""
_RATIOS = ("chunk_variation", "enrichment")
"""Scores of a level that are ratios; the others are shares from 0 to 1."""
_STRETCH = 100
_IGNORED = -100  # target that `nll_loss` skips


@isolated
@torch.no_grad()
def evaluate_lm(
    model: CharacterLM,
    text: Tensor,
    streams: int | None = None,
    alphabet: str | None = None,
    ends: Tensor | None = None,
) -> dict[str, float]:
    """Predict every character of a text once, except the first one.

    The model reads the text as `streams` parts in parallel. Each part begins with an empty state, so its first
    characters have less context. One part is exact, and slowest.

    Args:
        model: Model in eval mode.
        text: (characters,) int64 positions in the alphabet, at least two.
        streams: Number of parts; by default 50, or fewer so that a part has 500 characters or more.
        alphabet: Characters in the order of their numbers, to compare boundaries with white space.
        ends: (characters,) bool, the last characters of words, to compare boundaries with the words of a text without
            spaces; needs `alphabet`.

    Returns:
        `bits_per_character`; and for a core with boundaries what `Core.scores`, `space_scores`, `chunk_scores`
        and `word_scores` return.

    Raises:
        HsEnvError: If the text has fewer than two characters, `streams` is below 1, or `ends` has another length.
    """
    targets = len(text) - 1
    if targets < 1 or (streams is not None and streams < 1) or (ends is not None and len(ends) != len(text)):
        given = "" if ends is None else f", {len(ends)} marks of word ends"
        raise HsEnvError(
            "Expected a text of two characters or more, 1 stream or more, and a mark for each character if there are "
            f"any; got {len(text)} characters, {streams} streams{given}."
        )
    streams = min(streams or max(1, min(STREAMS, targets // _PART)), targets)
    length = -(-targets // streams)
    padding = length * streams - targets
    inputs = torch.cat([text[:-1], text.new_zeros(padding)]).view(streams, length).t()
    outputs = torch.cat([text[1:], text.new_full((padding,), _IGNORED)]).view(streams, length).t()
    state: State | None = None
    surprisals, boundaries = [], []
    for start in range(0, length, _STRETCH):
        now = slice(start, start + _STRETCH)
        log_probs, z, state = model(inputs[now], state)
        nats = nll_loss(log_probs.flatten(0, 1), outputs[now].flatten(), reduction="none", ignore_index=_IGNORED)
        surprisals.append(nats.view_as(outputs[now]).cpu().double())
        if z is not None:
            boundaries.append(z)
    surprisal = torch.cat(surprisals)
    scores = {"bits_per_character": surprisal.sum().item() / targets / math.log(2)}
    if boundaries:
        found, read, counted = torch.cat(boundaries).cpu(), inputs.cpu(), (outputs != _IGNORED).cpu()
        scores |= model.core.scores(found, counted)
        if alphabet is not None:
            spaces = torch.tensor([character.isspace() for character in alphabet], device=CPU)[read]
            scores |= space_scores(found, spaces, counted)
        scores |= chunk_scores(found, surprisal, counted)
        if alphabet is not None and ends is not None:
            lines = read == alphabet.find("\n")
            marks = torch.cat([ends[:-1], ends.new_zeros(padding)]).view(streams, length).t().cpu()
            scores |= word_scores(found, marks, lines, counted)
    return scores


def space_scores(boundaries: Tensor, spaces: Tensor, counted: Tensor) -> dict[str, float]:
    """Compare boundaries with the white space of a text.

    Args:
        boundaries: (T, B, levels) floats, the boundaries after each character; one above 1/2 counts.
        spaces: (T, B) bool, whether a character is white space.
        counted: (T, B) bool, True for the characters to count.

    Returns:
        For each level, `spaces_found_1`, ... is the share of the spaces that have a boundary, and `at_spaces_1`, ... is
        the share of the boundaries that are at a space. `ends_found_1` and `at_ends_1` are the same for the last
        characters of words, which a space follows, `starts_found_1` and `at_starts_1` for the first ones, which follow
        a space. A share is 0 where there is nothing to find.
    """
    ends, starts = torch.zeros_like(spaces), torch.zeros_like(spaces)
    ends[:-1] = ~spaces[:-1] & spaces[1:] & counted[1:]
    starts[1:] = spaces[:-1] & ~spaces[1:]
    scores = {}
    for name, places in (("spaces", spaces), ("ends", ends), ("starts", starts)):
        wanted = places & counted
        for level, found in enumerate((boundaries > 0.5).unbind(-1), 1):
            both = int((found & wanted).sum())
            scores[f"{name}_found_{level}"] = both / max(int(wanted.sum()), 1)
            scores[f"at_{name}_{level}"] = both / max(int((found & counted).sum()), 1)
    return scores


def chunk_scores(boundaries: Tensor, surprisal: Tensor, counted: Tensor) -> dict[str, float]:
    """Describe the chunks between boundaries.

    Args:
        boundaries: (T, B, levels) floats, the boundaries after each character; one above 1/2 counts.
        surprisal: (T, B) surprisal of the character after each character.
        counted: (T, B) bool, True for the characters to count.

    Returns:
        For each level, `chunk_variation_1`, ... (standard deviation of the chunk lengths over their mean) and
        `enrichment_1`, ... (mean surprisal of the first characters of chunks over that of the others); 0 where there is
        nothing to compare. A chunk lies between two boundaries of a stream.
    """
    scores: dict[str, float] = {}
    steps = torch.arange(len(boundaries), device=boundaries.device)[:, None].expand_as(counted).t()
    for level, z in enumerate((boundaries > 0.5).unbind(-1), 1):
        found, stream = (z & counted).t(), torch.arange(z.shape[1], device=z.device)[:, None]
        places, streams = steps[found], stream.expand_as(found)[found]
        lengths = places.diff()[streams.diff() == 0].double()
        variation = lengths.std(correction=0) / lengths.mean() if len(lengths) else lengths.sum()
        first, other = surprisal[z & counted], surprisal[~z & counted]
        comparable = len(first) and other.sum() > 0
        ratio = first.mean() / other.mean() if comparable else surprisal.new_zeros(())
        scores |= {f"chunk_variation_{level}": variation.item(), f"enrichment_{level}": ratio.item()}
    return scores


def score_table(scores: Mapping[str, float]) -> tuple[list[str], list[list[str]]]:
    """Format what the levels of a model score.

    Args:
        scores: Result of `evaluate_lm`.

    Returns:
        The names of the scores; and for each level, lowest first, a cell for each score: a share in percent, or a
        ratio. A dash stands where a level has no such score.
    """
    levels = max((int(name.rpartition("_")[2]) for name in scores if name[-1].isdigit()), default=0)
    kinds = list(dict.fromkeys(name.rpartition("_")[0] for name in scores if name[-1].isdigit()))
    rows = [[_shown(kind, scores.get(f"{kind}_{level}")) for kind in kinds] for level in range(1, levels + 1)]
    return [kind.replace("_", " ") for kind in kinds], rows


def _shown(kind: str, value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:.2f}" if kind in _RATIOS else f"{value:.1%}"
