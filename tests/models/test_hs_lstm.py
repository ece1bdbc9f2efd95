"""HS-LSTM: two routes and the equations are one function."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hs_env.models import HSLSTM
from hs_env.types import END, HsEnvError, SentenceBatch
from tests.builders import make_batch, make_encoder, random_actions

LENGTHS = [7, 1, 4, 9, 2, 9, 5]


def equations(encoder: HSLSTM, tokens: list[int], actions: list[int]) -> Tensor:
    """Class log-probabilities of one sentence, word by word as the paper writes it; slow and plain."""
    d = encoder.hidden_size

    def lstm(level, c, h, x):
        pre = x @ level.weight_ih + h @ level.weight_hh + level.bias
        i, f, o = (torch.sigmoid(pre[k * d : (k + 1) * d]) for k in range(3))
        new = f * c + i * torch.tanh(pre[3 * d :])
        return new, o * torch.tanh(new)

    zero = torch.zeros(d)
    c_w = h_w = c_p = h_p = zero
    previous = END
    for t, token in enumerate(tokens):
        if previous == END:
            c_w, h_w = zero, zero
        c_w, h_w = lstm(encoder.word_level, c_w, h_w, encoder.words.weight[token])
        action = END if t == len(tokens) - 1 else actions[t]
        if action == END:
            c_p, h_p = lstm(encoder.phrase_level, c_p, h_p, h_w)
        previous = action
    return torch.log_softmax(encoder.output.weight @ h_p + encoder.output.bias, 0)


def step_by_step(encoder: HSLSTM, batch: SentenceBatch, actions: Tensor) -> Tensor:
    state = encoder.start(batch, actions.shape[0] // len(batch))
    for column in actions.unbind(1):
        state = encoder.advance(state, column)
    assert not state.reading.any()
    return encoder.finish(state)


@pytest.mark.parametrize("samples", [1, 3])
def test_both_routes_equal_the_equations(samples):
    encoder, batch = make_encoder(), make_batch(LENGTHS)
    actions = random_actions(len(batch) * samples, 9)
    expected = torch.stack(
        [
            equations(encoder, batch.tokens[row // samples, : LENGTHS[row // samples]].tolist(), actions[row].tolist())
            for row in range(len(actions))
        ]
    )
    torch.testing.assert_close(encoder(batch, actions), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(step_by_step(encoder, batch, actions), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(encoder(batch, actions.float()), expected, atol=1e-5, rtol=0)


def test_the_routes_have_one_gradient():
    encoder, batch, actions = make_encoder(), make_batch(LENGTHS), random_actions(14, 9)
    gradients = []
    for log_probs in (encoder(batch, actions), step_by_step(encoder, batch, actions), encoder(batch, actions.float())):
        loss = log_probs[:, 1].sum()
        gradients.append(torch.autograd.grad(loss, list(encoder.parameters())))
    for other in gradients[1:]:
        for one, two in zip(gradients[0], other, strict=True):
            torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


def test_relaxed_actions_have_the_gradient_of_finite_differences():
    encoder, batch = make_encoder().double(), make_batch([4, 1, 3])
    relaxed = torch.rand(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda actions: encoder(batch, actions), (relaxed,))


@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_routes_agree_on_any_batch(lengths, seed):
    encoder, batch = make_encoder(), make_batch(lengths, seed=seed)
    actions = random_actions(2 * len(lengths), max(lengths), seed)
    with torch.no_grad():
        torch.testing.assert_close(encoder(batch, actions), step_by_step(encoder, batch, actions), atol=1e-5, rtol=0)


def test_padding_changes_nothing():
    encoder, batch, actions = make_encoder(), make_batch(LENGTHS), random_actions(len(LENGTHS), 9)
    wide = SentenceBatch(
        torch.cat([batch.tokens, torch.full((7, 4), 5)], 1), batch.lengths, batch.labels, batch.indices
    )
    garbage = torch.cat([actions, torch.ones(7, 4, dtype=torch.int64)], 1)
    torch.testing.assert_close(encoder(wide, garbage), encoder(batch, actions), atol=1e-6, rtol=0)
    torch.testing.assert_close(step_by_step(encoder, wide, garbage), encoder(batch, actions), atol=1e-6, rtol=0)


@pytest.mark.parametrize("shape", [(7, 8), (7, 10), (8, 9), (0, 9)])
def test_actions_must_fit_the_batch(shape):
    with pytest.raises(HsEnvError, match="Actions need"):
        make_encoder()(make_batch(LENGTHS), torch.zeros(shape, dtype=torch.int64))


def test_a_batch_is_a_set_of_sentences():
    encoder, batch, actions = make_encoder(), make_batch(LENGTHS), random_actions(len(LENGTHS), 9)
    order = torch.randperm(len(batch), generator=torch.Generator().manual_seed(3))
    expected = encoder(batch, actions)
    torch.testing.assert_close(encoder(batch.select(order), actions[order]), expected[order], atol=1e-6, rtol=0)
    for row, length in enumerate(LENGTHS):
        alone = batch.select(torch.tensor([row]))
        alone = SentenceBatch(alone.tokens[:, :length], alone.lengths, alone.labels, alone.indices)
        one = encoder(alone, actions[row : row + 1, :length])
        torch.testing.assert_close(one[0], expected[row], atol=1e-6, rtol=0)


def test_the_state_is_that_of_the_paper():
    """s_t = c^p_{t-1} (+) h^p_{t-1} (+) c^w_t (+) h^w_t: the phrase level has not yet seen the word."""
    encoder, batch = make_encoder(), make_batch([3])
    state = encoder.start(batch)
    d = encoder.hidden_size
    first = encoder.observe(state)
    assert first.shape == (1, encoder.state_size)
    assert not first[:, : 2 * d].any()
    after = encoder.observe(encoder.advance(state, torch.tensor([END])))
    assert after[:, : 2 * d].any()
    inside = encoder.observe(encoder.advance(state, torch.tensor([0])))
    assert not inside[:, : 2 * d].any()
    assert not torch.equal(inside[:, 2 * d :], after[:, 2 * d :])


def test_only_end_is_legal_at_the_last_word_and_finished_rows_stay():
    encoder, batch = make_encoder(), make_batch([1, 3])
    state = encoder.start(batch)
    assert encoder.legal(state).tolist() == [[False, True], [True, True]]
    state = encoder.advance(state, torch.tensor([0, 0]))  # row 0 had no choice
    assert state.reading.tolist() == [False, True]
    before = state.memory[0].clone()
    later = encoder.advance(state, torch.tensor([1, 1]))
    assert torch.equal(later.memory[0], before)
    assert later.position.tolist() == [1, 2]


def test_advance_leaves_its_argument_alone():
    encoder, batch = make_encoder(), make_batch([4, 3])
    state = encoder.start(batch)
    before = state.memory.clone()
    encoder.advance(state, torch.tensor([1, 0]))
    assert torch.equal(state.memory, before)


def test_word_dropout_drops_whole_words_in_training_alone():
    encoder = HSLSTM(30, 3, embedding_size=5, hidden_size=6, dropout=0.0, word_dropout=0.5)
    torch.nn.init.uniform_(encoder.words.weight, 1, 2)
    vectors, _ = encoder.words(make_batch([40] * 20))
    dropped = (vectors == 0).all(1)
    assert 0.4 < dropped.float().mean().item() < 0.6
    assert (vectors[~dropped] != 0).all()
    assert (encoder.eval().words(make_batch([40]))[0] != 0).all()
