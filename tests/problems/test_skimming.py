"""Skimming against a plain loop: legal sequences, words that are read, relaxed actions, pictures."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import one_hot

from hs_env.problems.problem import nearest_legal
from hs_env.problems.skimming import NEXT, SKIMMING, SKIP, SKIPPED, STOP, read_shares, words_read
from hs_env.render import Segmented, to_text
from tests.builders import make_batch


def naive(actions: list[int]) -> list[int]:
    """The words that a legal sequence reads, by jumps from one to the next."""
    at, read = 0, []
    while at < len(actions):
        read.append(at)
        at += {NEXT: 1, STOP: len(actions), SKIP: 1 + SKIPPED}[actions[at]]
    return read


def is_legal(actions: tuple[int, ...]) -> bool:
    read = naive(list(actions))
    if any(actions[at] != NEXT for at in range(len(actions)) if at not in read):
        return False
    room = {NEXT: 0, STOP: 1, SKIP: 1 + SKIPPED}
    return all(len(actions) - 1 - at >= room[actions[at]] for at in read)


@pytest.mark.parametrize("length", range(1, 9))
def test_no_two_legal_sequences_read_the_same_words(length: int) -> None:
    sequences = SKIMMING.sequences(length)
    every = itertools.product(range(3), repeat=length)
    assert sorted(map(tuple, sequences.tolist())) == [each for each in every if is_legal(each)]
    assert len({tuple(naive(row)) for row in sequences.tolist()}) == len(sequences)


@pytest.mark.parametrize("length", range(1, 9))
def test_words_read_are_those_of_the_jumps(length: int) -> None:
    sequences = SKIMMING.sequences(length)
    lengths = torch.full((len(sequences),), length)
    expected = [naive(row) for row in sequences.tolist()]
    assert [row.nonzero().squeeze(1).tolist() for row in words_read(sequences, lengths)] == expected
    assert SKIMMING.spans_by_row(sequences, lengths) == [[(at, at + 1) for at in row] for row in expected]
    batch = make_batch([length]).repeat(len(sequences))
    assert SKIMMING.counts(sequences, batch)["num_read"].tolist() == [len(row) for row in expected]
    assert torch.equal(SKIMMING.legalised(sequences, lengths), sequences)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=14))
def test_illegal_actions_are_replaced_word_by_word(asked: list[int]) -> None:
    progress, taken = torch.zeros(1, dtype=torch.int64), []
    for position, action in enumerate(asked):
        legal = SKIMMING.legal(progress, torch.tensor([len(asked) - 1 - position]))
        taken.append(nearest_legal(legal, torch.tensor([action])))
        assert bool(legal.sum() == 1) or bool(progress == 0)  # every decision is about a word that is read
        progress = SKIMMING.progress_after(progress, taken[-1])
    found = SKIMMING.legalised(torch.tensor([asked]), torch.tensor([len(asked)]))
    assert found.tolist() == torch.stack(taken, 1).tolist()
    assert is_legal(tuple(found[0].tolist()))


def test_a_skip_of_all_words_left_is_a_stop() -> None:
    for left in range(1, SKIPPED + 1):
        lengths = torch.tensor([1 + left])
        assert SKIMMING.legalised(torch.tensor([[SKIP] * (1 + left)]), lengths).tolist() == [[STOP] + [NEXT] * left]
    assert SKIMMING.legalised(torch.tensor([[SKIP]]), torch.tensor([1])).tolist() == [[NEXT]]


def test_shares_of_relaxed_actions_are_those_of_drawn_ones() -> None:
    sequences, lengths = SKIMMING.sequences(7), torch.tensor([7])
    hard = read_shares(one_hot(sequences, 3).double(), lengths.expand(len(sequences)))
    assert torch.equal(hard.bool(), words_read(sequences, lengths.expand(len(sequences))))
    weights = torch.rand(1, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).softmax(2)
    expected = torch.zeros(1, 7, dtype=torch.float64)
    for actions in itertools.product(range(3), repeat=7):
        probability = weights[0, torch.arange(7), torch.tensor(actions)].prod()
        expected[0, naive(list(actions))] += probability
    torch.testing.assert_close(read_shares(weights, lengths), expected)


def test_skipped_words_are_struck_through() -> None:
    words = tuple("this is , all in all , a good film".split())
    actions = (NEXT, SKIP, NEXT, NEXT, NEXT, NEXT, NEXT, NEXT, STOP, NEXT)
    assert SKIMMING.first_fault([actions]) is None
    assert to_text(Segmented(words, actions, problem=SKIMMING)) == "this is ~~, all in~~ all , a good ~~film~~"
    assert to_text(Segmented(words, actions[:4], problem=SKIMMING)) == "this is ~~, all~~  · in all , a good film"
    assert SKIMMING.describe(words, actions)["read"] == ["this", "is", "all", ",", "a", "good"]
