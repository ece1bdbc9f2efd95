"""Composition against a plain stack: legal sequences, trees, agreement with gold trees, pictures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hs_env.problems.composition import COMPOSITION, Composition
from hs_env.problems.problem import Problem
from hs_env.render import Segmented, to_text
from hs_env.types import SentenceBatch
from tests.builders import make_batch, random_actions

MOTZKIN = (1, 1, 2, 4, 9, 21, 51, 127)
EXPRESSION = tuple("[MAX 2 9 [MIN 4 7 ] 0 ]".split())
GOLD = (0, 1, 1, 0, 1, 1, 2, 1, 1)


class Shallow(Composition):
    """Composition with a stack of three nodes."""

    capacity = 3


def heights(actions: Sequence[int]) -> list[int] | None:
    """Nodes on the stack after each word, or None if a reduction lacks two nodes."""
    stack, found = 0, []
    for action in actions:
        stack += 1 - action
        if stack < 1:
            return None
        found.append(stack)
    return found


@cache
def legal_by_hand(length: int, capacity: int) -> list[tuple[int, ...]]:
    """All sequences that never lack nodes or room, and leave one node."""
    tried = itertools.product(range(3), repeat=length)
    found = [(each, heights(each)) for each in tried]
    return [each for each, stack in found if stack and stack[-1] == 1 and max(stack) <= capacity]


def constituents(actions: Sequence[int]) -> list[tuple[int, int]]:
    """Spans of the reductions of one sequence, in their order; those that lack two nodes are left out."""
    stack: list[tuple[int, int]] = []
    found = []
    for position, action in enumerate(actions):
        stack.append((position, position + 1))
        for _ in range(action):
            if len(stack) > 1:
                (_, stop), (start, _) = stack.pop(), stack.pop()
                stack.append((start, stop))
                found.append((start, stop))
    return found


@pytest.mark.parametrize("problem", [COMPOSITION, Shallow()], ids=["24 nodes", "3 nodes"])
@pytest.mark.parametrize("length", range(1, 9))
def test_legal_sequences_are_those_that_leave_one_node(problem: Composition, length: int) -> None:
    sequences = sorted(map(tuple, problem.sequences(length).tolist()))
    assert sequences == legal_by_hand(length, problem.capacity)
    if problem == COMPOSITION:
        assert len(sequences) == MOTZKIN[length - 1]


@settings(deadline=None, max_examples=50)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5), seed=st.integers(0, 999), shallow=st.booleans())
def test_illegal_actions_are_replaced_as_word_by_word(lengths: list[int], seed: int, shallow: bool) -> None:
    problem = Shallow() if shallow else COMPOSITION
    size, actions = torch.tensor(lengths), random_actions(len(lengths), max(lengths), seed, 3)
    taken = problem.legalised(actions, size)
    assert torch.equal(taken, Problem.legalised(problem, actions, size))
    for row, length in enumerate(lengths):
        assert tuple(taken[row, :length].tolist()) in legal_by_hand(length, problem.capacity) or length > 8
        assert torch.equal(taken[row, length:], actions[row, length:])
    assert torch.equal(problem.legalised(taken, size), taken)


@settings(deadline=None)
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=6), seed=st.integers(0, 999))
def test_constituents_of_any_actions(lengths: list[int], seed: int) -> None:
    """Also of actions that are not legal, or do not end yet."""
    actions = random_actions(len(lengths), max(lengths) + 2, seed, 3)
    spans = COMPOSITION.spans(actions, torch.tensor(lengths))
    expected = [constituents(row[:length]) for row, length in zip(actions.tolist(), lengths, strict=True)]
    assert spans.by_row(len(lengths)) == expected
    assert torch.equal(spans.action, actions[spans.row, spans.stop - 1])


@pytest.mark.parametrize("length", range(1, 7))
def test_agreement_of_every_tree_with_every_other(length: int) -> None:
    sequences = COMPOSITION.sequences(length)
    for gold in sequences:
        batch = with_gold(make_batch([length]).repeat(len(sequences)), gold)
        counts = COMPOSITION.counts(sequences, batch)
        right = set(constituents(gold.tolist())) - {(0, length)}
        for row, sequence in enumerate(sequences.tolist()):
            spans = set(constituents(sequence))
            matches = len(spans & right)
            assert {name: column[row].item() for name, column in counts.items()} == {
                "num_constituents": length - 1,
                "depth": max(sum(start <= word < stop for start, stop in spans) for word in range(length)),
                "brackets": max(length - 2, 0),
                "matches": matches,
                "sentence_f1": pytest.approx(matches / (length - 2) if length > 2 else 1.0),
            }


def test_without_gold_trees_there_is_no_agreement() -> None:
    batch = replace(make_batch([4]), gold_actions=None)
    assert COMPOSITION.counts(torch.tensor([[0, 1, 1, 1]]), batch).keys() == {"num_constituents", "depth"}


def with_gold(batch: SentenceBatch, gold: Tensor) -> SentenceBatch:
    return replace(batch, gold_actions=gold.expand_as(batch.tokens))


def test_a_tree_as_text() -> None:
    tree = "((((([MAX 2) 9) ((([MIN 4) 7) ])) 0) ])"
    drawn = Segmented(EXPRESSION, GOLD, "9", "9", 0.5, COMPOSITION)
    assert to_text(drawn) == f"{tree}  → 9 0.50"
    assert drawn.description["tree"] == tree
    assert drawn.description["actions"][:2] == ["SHIFT", "REDUCE"]
    assert to_text(replace(drawn, actions=GOLD[:5], prediction=None)) == "(([MAX 2) 9) ([MIN 4)  · 7 ] 0 ]"
    assert to_text(Segmented(("a",), (0,), problem=COMPOSITION)) == "a"


def test_levels_of_brackets() -> None:
    drawn = Segmented(EXPRESSION, GOLD, problem=COMPOSITION)
    found = {(each.start, each.stop): each.level for each in drawn.brackets}
    assert list(found) == constituents(GOLD)
    assert [found[span] for span in ((0, 2), (0, 3), (3, 7), (0, 7), (0, 9))] == [1, 2, 3, 4, 6]


@pytest.mark.parametrize("length", range(1, 6))
def test_parts_are_the_nodes_of_the_stack(length: int) -> None:
    for sequence in COMPOSITION.sequences(length).tolist():
        for read in range(length + 1):
            parts = COMPOSITION.parts(sequence[:read], read == length)
            assert [at for part in parts for at in range(part.start, part.stop)] == list(range(read))
            assert len(parts) == ((heights(sequence) or [])[read - 1] if read else 0)
            assert {part.state for part in parts} <= {"tree"}
