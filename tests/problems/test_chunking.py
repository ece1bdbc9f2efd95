"""Chunking: forced ends, legal sequences, chunks, and counts of spaces."""

from __future__ import annotations

import torch

from hs_env.corpora import Vocabulary
from hs_env.corpora.encoded import EncodedSplit
from hs_env.problems.chunking import CHUNKING
from hs_env.types import Sentence


def test_the_first_and_the_last_character_end_a_chunk() -> None:
    assert CHUNKING.sequences(1).tolist() == [[1]]
    assert CHUNKING.sequences(2).tolist() == [[1, 1]]
    assert sorted(CHUNKING.sequences(4).tolist()) == [[1, 0, 0, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]]
    asked = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    lengths = torch.tensor([4, 3, 1])
    assert CHUNKING.legalised(asked, lengths).tolist() == [[1, 0, 0, 1], [1, 1, 1, 0], [1, 0, 0, 0]]
    assert CHUNKING.first_fault([(1, 0, 1), (0, 1)]) == (1, "action 0 is INSIDE (0), which is not legal there")


def test_chunks_and_counts() -> None:
    lines = ("a b cd", "abc")
    split = EncodedSplit.from_sentences([Sentence(tuple(line), 0) for line in lines], Vocabulary(" abcd"))
    batch, actions = split.batch(torch.arange(2)), torch.tensor([[0, 1, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0]])
    infos = CHUNKING.infos([tuple(line) for line in lines], actions, batch.lengths, "characters")
    assert infos["chunks"] == [("a", " ", "b cd"), ("a", "bc")]
    assert infos["num_chunks"].tolist() == [3, 2]
    assert CHUNKING.spans(actions, batch.lengths).by_row(2) == CHUNKING.spans_by_row(actions, batch.lengths)
    counts = {name: each.tolist() for name, each in CHUNKING.counts(actions, batch).items()}
    assert counts == {"num_chunks": [3, 2], "spaces": [2, 0], "ends_at_spaces": [1, 0]}
