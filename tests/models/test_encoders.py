"""What every structured encoder promises: two routes and the equations are one function of a set of sentences."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hs_env.models import StructuredEncoder
from hs_env.types import HsEnvError, SentenceBatch
from tests.builders import make_batch, make_encoder, random_actions
from tests.models.equations import EQUATIONS

LENGTHS = [7, 1, 4, 9, 2, 9, 5]
KINDS = list(EQUATIONS)


@pytest.fixture(params=KINDS)
def encoder(request: pytest.FixtureRequest) -> StructuredEncoder:
    made: StructuredEncoder = make_encoder(request.param)
    return made


def step_by_step(encoder: StructuredEncoder, batch: SentenceBatch, actions: Tensor) -> Tensor:
    state = encoder.start(batch, actions.shape[0] // len(batch))
    for column in actions.unbind(1):
        state = encoder.advance(state, column)
    assert not state.reading.any()
    return encoder.finish(state)


# The routes


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("constant", [None, 0, 1])
def test_both_routes_equal_the_equations(encoder, samples, constant):
    batch = make_batch(LENGTHS)
    actions = random_actions(len(batch) * samples, 9)
    if constant is not None:
        actions.fill_(constant)
    equations = EQUATIONS[type(encoder)]
    expected = torch.stack(
        [
            equations(encoder, batch.tokens[row // samples, : LENGTHS[row // samples]].tolist(), actions[row].tolist())
            for row in range(len(actions))
        ]
    )
    torch.testing.assert_close(encoder(batch, actions), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(step_by_step(encoder, batch, actions), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(encoder(batch, actions.float()), expected, atol=1e-5, rtol=0)


def test_the_routes_have_one_gradient(encoder):
    batch, actions = make_batch(LENGTHS), random_actions(14, 9)
    actions[0] = 0
    gradients = []
    for log_probs in (encoder(batch, actions), step_by_step(encoder, batch, actions), encoder(batch, actions.float())):
        loss = log_probs[:, 1].sum()
        gradients.append(torch.autograd.grad(loss, list(encoder.parameters())))
    for other in gradients[1:]:
        for one, two in zip(gradients[0], other, strict=True):
            torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


def test_relaxed_actions_have_the_gradient_of_finite_differences(encoder):
    encoder, batch = encoder.double(), make_batch([4, 1, 3])
    relaxed = torch.rand(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda actions: encoder(batch, actions), (relaxed,))


@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_routes_agree_on_any_batch(kind, lengths, seed):
    encoder, batch = make_encoder(kind), make_batch(lengths, seed=seed)
    actions = random_actions(2 * len(lengths), max(lengths), seed)
    with torch.no_grad():
        torch.testing.assert_close(encoder(batch, actions), step_by_step(encoder, batch, actions), atol=1e-5, rtol=0)


def test_the_lexicon_is_the_tables_of_every_batch(encoder):
    batch, actions = make_batch(LENGTHS), random_actions(len(LENGTHS), 9)
    state = encoder.begin(encoder.lexicon(), batch.tokens, batch.lengths)
    for column in actions.unbind(1):
        state = encoder.advance(state, column)
    torch.testing.assert_close(encoder.finish(state), encoder(batch, actions), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(7, 8), (7, 10), (8, 9), (0, 9)])
def test_actions_must_fit_the_batch(encoder, shape):
    with pytest.raises(HsEnvError, match="Actions need"):
        encoder(make_batch(LENGTHS), torch.zeros(shape, dtype=torch.int64))


# A set of sentences


def test_padding_changes_nothing(encoder):
    batch, actions = make_batch(LENGTHS), random_actions(len(LENGTHS), 9)
    actions[2] = 0
    wide = SentenceBatch(
        torch.cat([batch.tokens, torch.full((7, 4), 5)], 1), batch.lengths, batch.labels, batch.indices
    )
    garbage = torch.cat([actions, torch.ones(7, 4, dtype=torch.int64)], 1)
    torch.testing.assert_close(encoder(wide, garbage), encoder(batch, actions), atol=1e-6, rtol=0)
    torch.testing.assert_close(step_by_step(encoder, wide, garbage), encoder(batch, actions), atol=1e-6, rtol=0)
    torch.testing.assert_close(encoder(wide, garbage.float()), encoder(batch, actions), atol=1e-6, rtol=0)


def test_a_batch_is_a_set_of_sentences(encoder):
    batch, actions = make_batch(LENGTHS), random_actions(len(LENGTHS), 9)
    order = torch.randperm(len(batch), generator=torch.Generator().manual_seed(3))
    expected = encoder(batch, actions)
    torch.testing.assert_close(encoder(batch.select(order), actions[order]), expected[order], atol=1e-6, rtol=0)
    for row, length in enumerate(LENGTHS):
        alone = batch.select(torch.tensor([row])).cropped(length)
        one = encoder(alone, actions[row : row + 1, :length])
        torch.testing.assert_close(one[0], expected[row], atol=1e-6, rtol=0)


# Steps


def test_illegal_actions_are_replaced(encoder):
    batch = make_batch(LENGTHS)
    asked = random_actions(len(batch), 9)
    asked[:3] = 0
    state, taken = encoder.start(batch), torch.zeros_like(asked)
    for t, column in enumerate(asked.unbind(1)):
        legal = encoder.legal(state)
        assert legal.any(1).all()
        taken[:, t] = torch.where(legal.gather(1, column[:, None]).squeeze(1), column, 1 - column)
        state = encoder.advance(state, column)
    torch.testing.assert_close(encoder.finish(state), encoder(batch, taken), atol=1e-5, rtol=0)
    torch.testing.assert_close(encoder(batch, asked), encoder(batch, taken))
    assert (taken != asked).any()


@pytest.mark.parametrize("relaxed", [False, True])
def test_finished_rows_stay(encoder, relaxed):
    state = encoder.advance(encoder.start(make_batch([1, 3])), torch.tensor([0, 0]))
    assert state.reading.tolist() == [False, True]
    before, seen = state.memory[0].clone(), encoder.observe(state)[0]
    actions = torch.tensor([1, 1])
    later = encoder.advance(state, actions.float() if relaxed else actions)
    assert torch.equal(later.memory[0], before)
    assert torch.equal(encoder.observe(later)[0], seen)
    assert later.position.tolist() == [1, 2]


def test_advance_leaves_its_argument_alone(encoder):
    state = encoder.start(make_batch([4, 3]))
    for actions in ([1, 0], [0, 0], [1, 1]):
        before = state.memory.clone()
        after = encoder.advance(state, torch.tensor(actions))
        assert torch.equal(state.memory, before)
        state = after


def test_what_a_policy_sees_has_one_width(encoder):
    state = encoder.start(make_batch([4, 3]), 3)
    assert encoder.observe(state).shape == (6, encoder.state_size)
    assert encoder.legal(state).shape == (6, 2)


# Training


def test_dropout_before_the_softmax_differs_from_row_to_row(encoder):
    encoder.dropout.p = 0.5
    encoder.train()
    rows = encoder(make_batch([4]), torch.ones(20, 4, dtype=torch.int64))
    assert len(rows.unique(dim=0)) > 10


def test_constructor_arguments_are_the_config(encoder):
    again = type(encoder)(**encoder.config())
    assert again.config() == encoder.config()
    again.load_state_dict(encoder.state_dict())


def test_word_dropout_drops_whole_words_in_training_alone(encoder):
    encoder.words.word_dropout.p = 0.5
    encoder.train()
    torch.nn.init.uniform_(encoder.words.weight, 1, 2)
    vectors, _ = encoder.words(make_batch([40] * 20))
    dropped = (vectors == 0).all(1)
    assert 0.4 < dropped.float().mean().item() < 0.6
    assert (vectors[~dropped] != 0).all()
    assert (encoder.eval().words(make_batch([40]))[0] != 0).all()
