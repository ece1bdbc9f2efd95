"""HS-LSTM: the state that its policy sees, legal actions at the last word, and phrase vectors."""

from __future__ import annotations

import torch

from hs_env.problems.segmentation import END
from tests.builders import make_batch, make_encoder


def test_the_policy_sees_the_state_of_the_paper():
    """In s_t = c^p_{t-1} (+) h^p_{t-1} (+) c^w_t (+) h^w_t the phrase level does not include word t yet."""
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


def test_only_end_is_legal_at_the_last_word():
    encoder = make_encoder()
    state = encoder.start(make_batch([1, 3]))
    assert encoder.legal(state).tolist() == [[False, True], [True, True]]


def test_a_phrase_vector_is_the_last_word_level_state():
    encoder, batch, d = make_encoder(), make_batch([4, 1, 7, 7]), make_encoder().hidden_size
    state = encoder.start(batch)
    while state.reading.any():
        state = encoder.advance(state, torch.zeros(4, dtype=torch.int64))
    torch.testing.assert_close(encoder.phrase_vectors(batch), encoder.observe(state)[:, 3 * d :])
