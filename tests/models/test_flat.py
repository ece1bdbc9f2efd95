"""All classifiers without actions: they compute their equations, for each sentence independently of the others."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from hs_env.models import (
    CNN,
    MODELS,
    BiLSTM,
    FlatClassifier,
    HMLSTMClassifier,
    HNetClassifier,
    PlainLSTM,
    SelfAttentive,
)
from hs_env.models.bilstm import TwoWayLSTM
from hs_env.models.cnn import WIDTHS
from hs_env.models.self_attentive import HOPS
from hs_env.types import SentenceBatch
from tests.builders import make_batch
from tests.models import equations
from tests.models.equations import lstm

KINDS = [PlainLSTM, BiLSTM, CNN, SelfAttentive, HMLSTMClassifier, HNetClassifier]
LENGTHS = [7, 1, 4, 9, 2, 9, 3]


def make_flat(kind: type[FlatClassifier], dropout: float = 0.0) -> FlatClassifier:
    """A small classifier with random weights, in eval mode.

    The word vectors are scaled up, so that features of both signs occur.
    """
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = kind(30, 3, embedding_size=5, hidden_size=7, dropout=dropout).eval()
        model.words.weight.mul_(8)
        return model


def every_state(level: TwoWayLSTM, x: Tensor) -> Tensor:
    """States (L, 2d) of both directions for word vectors `x` (L, e) of one sentence."""
    d, sides = level.onward.hidden_size, []
    for layer, words in ((level.onward, x), (level.back, x.flip(0))):
        c = h = torch.zeros(d)
        states = []
        for word in words:
            c, h = lstm(layer, c, h, word)
            states.append(h)
        sides.append(torch.stack(states))
    return torch.cat([sides[0], sides[1].flip(0)], 1)


def plain_lstm(model: PlainLSTM, x: Tensor) -> Tensor:
    c = h = torch.zeros(model.hidden_size)
    for word in x:
        c, h = lstm(model.word_level, c, h, word)
    return h


def bilstm(model: BiLSTM, x: Tensor) -> Tensor:
    states, d = every_state(model.word_level, x), model.hidden_size
    return torch.cat([states[-1, :d], states[0, d:]])


def cnn(model: CNN, x: Tensor) -> Tensor:
    features = []
    for width, layer in zip(WIDTHS, model.convolutions, strict=True):
        assert isinstance(layer, nn.Conv1d)
        zeros = torch.zeros(width - 1, x.shape[1])
        padded = torch.cat([zeros, x, zeros])
        windows = [padded[at : at + width].t() for at in range(len(x) + width - 1)]
        values = [(layer.weight * window).sum((1, 2)) + layer.bias for window in windows]
        features.append(torch.stack(values).relu().amax(0))
    return torch.cat(features)


def self_attentive(model: SelfAttentive, x: Tensor) -> Tensor:
    states = every_state(model.word_level, x)
    first, _, second = model.attention
    weights = torch.softmax(second.weight @ torch.tanh(first.weight @ states.t()), 1)
    assert weights.shape == (HOPS, len(x))
    return (weights @ states).flatten()


def hm_lstm(model: HMLSTMClassifier, x: Tensor) -> Tensor:
    """Run the layers word by word; `hm/test_hm_lstm.py` tests the layers themselves."""
    state = None
    for place, word in enumerate(x):
        last = torch.tensor([place + 1 == len(x)])
        h, _, state, _ = model.levels.scan(model.levels.project(word[None]), torch.tensor([0]), [1], state, ends=last)
    return model.gates(h)[0]


def h_net(model: HNetClassifier, x: Tensor) -> Tensor:
    return equations.h_net(model.levels, list(x))[0][-1]


EQUATIONS = {
    PlainLSTM: plain_lstm,
    BiLSTM: bilstm,
    CNN: cnn,
    SelfAttentive: self_attentive,
    HMLSTMClassifier: hm_lstm,
    HNetClassifier: h_net,
}


@pytest.mark.parametrize("kind", KINDS)
def test_log_probabilities_equal_the_equations(kind):
    model, batch = make_flat(kind), make_batch(LENGTHS)
    representations = [
        EQUATIONS[kind](model, model.words.weight[row[:length]])
        for row, length in zip(batch.tokens, LENGTHS, strict=True)
    ]
    expected = torch.log_softmax(model.output(torch.stack(representations)), 1)
    torch.testing.assert_close(model(batch), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(0, 2**31), st.integers(0, 6))
@settings(max_examples=20, deadline=None)
def test_other_sentences_their_order_and_padding_have_no_effect(kind, lengths, seed, more):
    model, batch = make_flat(kind), make_batch(lengths, seed=seed)
    order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(seed))
    wider = SentenceBatch(nn.functional.pad(batch.tokens, (0, more)), batch.lengths, batch.labels, batch.indices)
    junk = SentenceBatch(wider.tokens.masked_fill(~wider.mask, 3), batch.lengths, batch.labels, batch.indices)
    with torch.no_grad():
        together = model(batch)
        alone = torch.cat([model(make_alone(batch, row)) for row in range(len(batch))])
        torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
        torch.testing.assert_close(model(batch.select(order)), together[order], atol=1e-6, rtol=0)
        torch.testing.assert_close(model(junk), together, atol=1e-6, rtol=0)
    torch.testing.assert_close(together.exp().sum(1), torch.ones(len(lengths)))


def make_alone(batch: SentenceBatch, row: int) -> SentenceBatch:
    """One sentence without padding."""
    return batch.select(torch.tensor([row])).cropped(int(batch.lengths[row]))


@pytest.mark.parametrize("kind", KINDS[:-1])  # the confidence of H-Net has a straight-through gradient
def test_gradients_equal_finite_differences(kind):
    model, batch = make_flat(kind).double(), make_batch([4, 1, 3])
    if isinstance(model, HMLSTMClassifier):
        model.levels.boundary = "soft"  # hard boundaries have straight-through gradients
    names, values = zip(*model.named_parameters(), strict=True)

    def log_probs(*parameters: Tensor) -> Tensor:
        return torch.func.functional_call(model, dict(zip(names, parameters, strict=True)), (batch,))

    assert torch.autograd.gradcheck(log_probs, values, fast_mode=True)
    log_probs(*values)[:, 0].sum().backward()
    unused = [name for name, value in zip(names, values, strict=True) if not value.grad.any()]
    assert unused == []
    assert not model.words.weight.grad[0].any()


@pytest.mark.parametrize("kind", KINDS)
def test_registered_name_and_config_rebuild_the_model(kind):
    model = make_flat(kind)
    again = MODELS.get(MODELS.name_of(kind))(**model.config())
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval()(make_batch(LENGTHS)), model(make_batch(LENGTHS)))
    assert kind.title


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_before_the_softmax_differs_between_rows(kind):
    model = make_flat(kind, dropout=0.5)
    model.words.dropout.p = 0.0
    model.train()
    rows = model(make_batch([4]).repeat(20))
    assert len(rows.unique(dim=0)) > 5  # of 20 rows: units that are 0 after a ReLU make some rows equal


def test_the_forward_half_of_a_bidirectional_lstm_is_a_plain_lstm():
    both, plain, batch = make_flat(BiLSTM), make_flat(PlainLSTM), make_batch(LENGTHS)
    plain.word_level.load_state_dict(both.word_level.onward.state_dict())
    vectors, _ = both.words(batch)
    every_word = torch.arange(len(vectors))
    half = plain.word_level.last(plain.word_level.project(vectors), every_word, batch.lengths)
    assert torch.equal(both.word_level.last(vectors, batch.lengths)[:, :7], half)


def test_attention_weights_sum_to_1_and_ignore_padding():
    model, batch = make_flat(SelfAttentive), make_batch(LENGTHS)
    weights, _ = model.attend(batch)
    torch.testing.assert_close(weights.sum(1), torch.ones(len(LENGTHS), HOPS))
    assert not weights[~batch.mask].any()


def test_the_default_cnn_has_the_sizes_of_the_paper():
    model = CNN(30, 2)
    assert [tuple(layer.weight.shape[::2]) for layer in model.convolutions] == [(100, 3), (100, 4), (100, 5)]
    assert model.output.in_features == 300
