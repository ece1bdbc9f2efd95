"""ID-LSTM: the state that its policy sees, and the rule that at least one word is retained."""

from __future__ import annotations

import pytest
import torch

from hs_env.models import IDLSTM, PlainLSTM
from hs_env.problems.distillation import DELETE, RETAIN
from tests.builders import make_batch, make_encoder


def test_the_policy_sees_the_state_of_the_paper():
    """In s_t = c_{t-1} (+) h_{t-1} (+) x_t the state of the LSTM does not include word t yet."""
    encoder, batch = make_encoder(IDLSTM), make_batch([3])
    vectors = encoder.words.weight[batch.tokens[0]]
    state = encoder.start(batch)
    nothing = torch.zeros(encoder.hidden_size)
    torch.testing.assert_close(encoder.observe(state)[0], torch.cat([nothing, nothing, vectors[0]]))
    left = encoder.advance(state, torch.tensor([DELETE]))
    torch.testing.assert_close(encoder.observe(left)[0], torch.cat([nothing, nothing, vectors[1]]))
    kept = encoder.advance(left, torch.tensor([RETAIN]))
    c, h = encoder.word_level.step(encoder.word_level.project(vectors[1:2]), nothing[None], nothing[None])
    torch.testing.assert_close(encoder.observe(kept)[0], torch.cat([c[0], h[0], vectors[2]]))
    finished = encoder.advance(kept, torch.tensor([DELETE]))
    torch.testing.assert_close(encoder.observe(finished)[0], torch.cat([c[0], h[0], vectors[2]]))


@pytest.mark.parametrize(
    ("actions", "legal"),
    [([], [True, True]), ([DELETE], [True, True]), ([DELETE, DELETE], [False, True]), ([RETAIN, DELETE], [True, True])],
)
def test_only_retain_is_legal_at_the_last_word_if_no_word_is_retained(actions, legal):
    encoder = make_encoder(IDLSTM)
    state = encoder.start(make_batch([3]))
    for action in actions:
        state = encoder.advance(state, torch.tensor([action]))
    assert encoder.legal(state).tolist() == [legal]


def test_the_only_word_of_a_sentence_is_retained():
    encoder, batch = make_encoder(IDLSTM), make_batch([1])
    assert encoder.legal(encoder.start(batch)).tolist() == [[False, True]]
    torch.testing.assert_close(encoder(batch, torch.tensor([[DELETE]])), encoder(batch, torch.tensor([[RETAIN]])))


def test_relaxed_actions_retain_the_last_word_in_proportion_to_nothing_retained_before():
    encoder, batch = make_encoder(IDLSTM), make_batch([3])
    first, second, last = 0.25, 0.5, 0.3
    forced = 1 - (1 - first) * (1 - second)
    state = encoder.start(batch)
    for action in (first, second):
        state = encoder.advance(state, torch.tensor([action]))
    assert state.memory[0, -1].item() == pytest.approx(forced)
    assert encoder.legal(state).tolist() == [[True, True]]
    share = last + (1 - last) * (1 - forced)
    c, h = state.memory[:, :6], state.memory[:, 6:12]
    new_h = encoder.word_level.step(state.tables[0][2:], c, h)[1]
    after = encoder.advance(state, torch.tensor([last]))
    torch.testing.assert_close(after.memory[:, 6:12], h + share * (new_h - h))


def test_retaining_all_words_equals_a_plain_lstm():
    encoder, batch = make_encoder(IDLSTM), make_batch([4, 1, 7])
    plain = PlainLSTM(**encoder.config()).eval()
    plain.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(encoder(batch, torch.ones_like(batch.tokens)), plain(batch), atol=1e-6, rtol=0)


def test_deleted_words_have_no_gradient():
    encoder, batch = make_encoder(IDLSTM), make_batch([4], vocabulary=30)
    batch.tokens[0] = torch.tensor([5, 6, 7, 8])
    encoder(batch, torch.tensor([[0, 1, 0, 1]]))[0, 0].backward()
    touched = encoder.words.weight.grad.abs().sum(1).nonzero().squeeze(1)
    assert touched.tolist() == [6, 8]
