"""Tree-LSTM: small stacks, unfinished sentences, equal nodes, dropout."""

from __future__ import annotations

import pytest
import torch

from hs_env.models import TreeLSTM, check_encoder
from hs_env.models.tree_cell import TreeCell
from hs_env.models.tree_lstm import _levels
from hs_env.problems.composition import COMPOSITION, Composition, tree_nodes
from tests.builders import make_batch, make_encoder, random_actions


class _Shallow(Composition):
    capacity = 2


class _SmallStack(TreeLSTM):
    problem = _Shallow()


def test_a_full_stack() -> None:
    check_encoder(make_encoder(_SmallStack))


def test_an_unfinished_sentence_is_classified_as_if_all_nodes_were_reduced() -> None:
    encoder, batch = make_encoder(TreeLSTM), make_batch([9])
    state = encoder.start(batch)
    for action in (0, 0, 1, 0):
        state = encoder.advance(state, torch.tensor([action]))
    nodes = state.memory.view(24, -1)
    assert nodes[3:].count_nonzero() == 0
    root = encoder.parent(nodes[1:2], nodes[:1])
    root = encoder.parent(nodes[2:3], root)
    torch.testing.assert_close(encoder.finish(state), encoder.classify(root[:, encoder.hidden_size :]))


def test_equal_nodes_are_computed_once() -> None:
    """In three samples of two sentences with the same words, of which two samples are equal."""
    actions = torch.tensor([[0, 1, 0, 2], [0, 1, 1, 1], [0, 1, 0, 2]] * 2)
    nodes = tree_nodes(actions, torch.full((6,), 4))
    words = torch.tensor([5, 5, 7, 8])[nodes.stop - 1]
    number, levels = _levels(words, nodes.left, 9)
    assert [len(left) for left, _ in levels] == [2, 2, 1]  # 5 5 and 7 8, then (5 5) 7 and (5 5)(7 8), then ((5 5) 7) 8
    assert len(number.unique()) == 3 + 5
    (first, second), (left, right), _ = levels
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(5, 5), (7, 8)]
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == [(9, 7), (9, 10)]


def test_words_share_a_leaf_unless_dropout_makes_them_differ() -> None:
    encoder, batch = make_encoder(TreeLSTM), make_batch([6, 6])
    batch.tokens.fill_(4)
    assert len(encoder._leaves(batch)[0]) == 1
    encoder.train()
    assert len(encoder._leaves(batch)[0]) == 1
    encoder.words.word_dropout.p = 0.5
    assert len(encoder._leaves(batch)[0]) == 12


def test_dropout_of_words_is_the_same_in_all_samples() -> None:
    encoder, batch = make_encoder(TreeLSTM, dropout=0.5).train(), make_batch([5, 3])
    encoder.dropout.p = 0.0
    rows = encoder(batch, COMPOSITION.legalised(random_actions(2, 5, k=3), batch.lengths).repeat_interleave(2, 0))
    torch.testing.assert_close(rows[::2], rows[1::2])


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_of_trees_equals_finite_differences(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    cell = TreeCell(3).double()
    leaves = torch.randn(4, 6, dtype=torch.float64, generator=generator).requires_grad_()
    levels = [(torch.tensor([0, 0]), torch.tensor([1, 3])), (torch.tensor([4, 2, 4]), torch.tensor([2, 4, 5]))]
    assert torch.autograd.gradcheck(lambda leaves, *weights: cell.trees(leaves, levels), (leaves, *cell.parameters()))
