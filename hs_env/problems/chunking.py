"""Chunking: decide at each character whether the chunk ends there (Dauncey and Wattenhofer, ICML 2026)."""

from __future__ import annotations

from typing import ClassVar, Final

import torch
from torch import Tensor

from hs_env.problems.descriptions import LSTM_BOUNDS
from hs_env.problems.problem import Column, EnvironmentText, Problem, Spans, TrainingDefaults
from hs_env.problems.segmentation import SEGMENTATION, phrase_ends
from hs_env.types import END, INSIDE, SentenceBatch

__all__ = ["CHUNKING", "END", "INSIDE", "Chunking", "chunk_ends"]


def chunk_ends(actions: Tensor, lengths: Tensor) -> Tensor:
    """Return (R, T) bool: the characters where actions (R, T) end a chunk; the first and the last always end one."""
    ends = phrase_ends(actions, lengths)
    ends[:, 0] = True
    return ends


class Chunking(Problem):
    """Divides a line of characters into chunks. The first and the last character always end a chunk.

    Progress is 0 at the first character and 1 after it.
    """

    title = "chunking"
    actions = ("INSIDE", "END")
    span = ("chunk", "chunks")
    closing_action = END
    columns: ClassVar[tuple[Column, ...]] = (
        Column("boundary_rate", ("Boundary", "rate %"), "num_chunks", "words", 100, 1),
        Column("characters_per_chunk", ("Chars /", "chunk"), "words", "num_chunks", decimals=2),
        Column("spaces_with_boundary", ("Spaces with", "boundary %"), "ends_at_spaces", "spaces", 100, 1, "spaces"),
        Column("boundaries_at_spaces", ("Boundaries", "at spaces %"), "ends_at_spaces", "num_chunks", 100, 1, "spaces"),
    )
    defaults = TrainingDefaults(warm_start="random", reward="chunk_gain", initial_logits=(0.0, -1.4))
    environment = EnvironmentText(
        classifier="movie_reviews_chunks",
        corpus="movie_reviews:tokenisation=characters",
        reward="chunk_gain",
        reward_parameters='{"price": 0.05}',
        summary="Divide a line of text into chunks, character by character.",
        description=(
            "At each character of a line, the agent decides whether a chunk ends there; here a word of a sentence is a "
            "character. A frozen language model, the chunk LSTM, predicts the next character twice: by an early exit "
            "above its character level, and by a late exit that also sees its chunk level. The chunk level reads the "
            "character level at the end of each chunk, and is held until the next one. The reward is what the chunk "
            "level adds to the prediction, less a price per chunk, as in Dauncey and Wattenhofer (2026), who learn the "
            "tokens of a language model in this way. A discount of 0.99 or less helps: a chunk changes predictions "
            "mostly until the next one. The model also classifies the line, which the default reward ignores."
        ),
        meanings=("the chunk continues with the next character", "the chunk ends after this character"),
        legality="The first and the last character always end a chunk: INSIDE is not legal there and is taken as END.",
        observation=(
            "For a chunk LSTM with hidden size d, D = 2.5d: cell and hidden state of the chunk level before the "
            "character, then cell and hidden state, of width d / 4 each, of the character level after it. "
            + LSTM_BOUNDS
        ),
        timing="At each character t, by default,",
        rewarded=(
            "`CE_early(t) - CE_late(t) - price * b(t)`: the cross-entropies of the next character in nats by the two "
            "exits, after the action; b(t) is 1 if a chunk ends, else 0, and the price is 0.02. The forced ends of "
            "chunks cost it, too. After the last character, the next one is the end of the line"
        ),
        potential="it changes where a chunk ends",
        information=(
            ("num_chunks", "int", "number of chunks"),
            ("chunks", "tuple of str", 'the text of each chunk, such as `("a", " good ", "film")`'),
        ),
        references=(
            "S. Dauncey, R. Wattenhofer. *Learning Tokenisation by Reinforcement.* ICML 2026, arXiv 2602.13940. "
            "S. Hwang, B. Wang, A. Gu. *Dynamic Chunking for End-to-End Hierarchical Sequence Modeling.* 2025, arXiv "
            "2507.07955."
        ),
    )

    def legal(self, progress: Tensor, left: Tensor) -> Tensor:
        """See `Problem.legal`; only `END` is legal at the first and the last character."""
        inside = (left != 0) & ((progress != 0) | (left < 0))
        return torch.stack([inside, torch.ones_like(inside)], 1)

    def progress_after(self, progress: Tensor, actions: Tensor) -> Tensor:
        """See `Problem.progress_after`."""
        return torch.ones_like(progress)

    def spans(self, actions: Tensor, lengths: Tensor) -> Spans:
        """See `Problem.spans`; each chunk is a span."""
        return SEGMENTATION.spans(self._forced(actions), lengths)

    def spans_by_row(self, actions: Tensor, lengths: Tensor) -> list[list[tuple[int, int]]]:
        """See `Problem.spans_by_row`."""
        return SEGMENTATION.spans_by_row(self._forced(actions), lengths)

    def counts(self, actions: Tensor, sentences: SentenceBatch) -> dict[str, Tensor]:
        """Count chunks, and if the text of the lines is known also their "spaces" and "ends_at_spaces".

        Returns:
            (R,) counts by name.
        """
        ends = chunk_ends(actions, sentences.lengths)
        found = {"num_chunks": ends.sum(1)}
        if sentences.originals is None:
            return found
        spaces = torch.zeros_like(ends)
        for row, sentence in enumerate(sentences.originals.rows()):
            at = [place for place, character in enumerate(sentence.words) if character == " "]
            spaces[row, at] = True
        return found | {"spaces": spaces.sum(1), "ends_at_spaces": (spaces & ends).sum(1)}

    def _forced(self, actions: Tensor) -> Tensor:
        """Return actions (R, T) whose first one is `END`."""
        return torch.cat([torch.full_like(actions[:, :1], END), actions[:, 1:]], 1)


CHUNKING: Final = Chunking()
