"""The LSTM step and its scan, compared with the LSTM of torch and with finite differences."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hs_env.models.lstm import LSTM, fast_tanh, lstm_cell, pack


def as_torch_cell(layer: LSTM, input_size: int) -> nn.LSTMCell:
    """A cell of torch with the same weights, in its gate order: input, forget, candidate, output."""
    d = layer.hidden_size
    order = torch.cat([torch.arange(0, 2 * d), torch.arange(3 * d, 4 * d), torch.arange(2 * d, 3 * d)])
    cell = nn.LSTMCell(input_size, d)
    with torch.no_grad():
        cell.weight_ih.copy_(layer.weight_ih.t()[order])
        cell.weight_hh.copy_(layer.weight_hh.t()[order])
        cell.bias_ih.copy_(layer.bias[order])
        cell.bias_hh.zero_()
    return cell


def test_step_equals_torch():
    torch.manual_seed(0)
    layer = LSTM(5, 7)
    x, h, c = torch.randn(4, 5), torch.randn(4, 7), torch.randn(4, 7)
    expected_h, expected_c = as_torch_cell(layer, 5)(x, (h, c))
    new_c, new_h = layer.step(layer.project(x), c, h)
    torch.testing.assert_close(new_h, expected_h, atol=1e-6, rtol=0)
    torch.testing.assert_close(new_c, expected_c, atol=1e-6, rtol=0)


def test_a_step_from_the_zero_state_needs_no_recurrent_product():
    torch.manual_seed(0)
    layer = LSTM(5, 7)
    gates = layer.project(torch.randn(4, 5))
    zero = torch.zeros(4, 7)
    torch.testing.assert_close(lstm_cell(gates, None), layer.step(gates, zero, zero))


def test_fast_tanh_is_tanh():
    x = torch.linspace(-40, 40, 10_001)
    torch.testing.assert_close(fast_tanh(x), torch.tanh(x), atol=3e-7, rtol=0)


def test_scan_equals_torch_packed_lstm():
    torch.manual_seed(0)
    layer, lengths = LSTM(5, 7), torch.tensor([3, 6, 1, 6, 2])
    sequence, step, sizes = pack(lengths)
    x = torch.randn(5, 6, 5)
    reference = nn.LSTM(5, 7)
    cell = as_torch_cell(layer, 5)
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(reference, f"{name}_l0").copy_(getattr(cell, name))
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    rows = (sequence * 6 + step).contiguous()
    ours = layer.scan(layer.project(x.flatten(0, 1)), rows, sizes)
    torch.testing.assert_close(ours, reference(packed)[0].data, atol=1e-6, rtol=0)


@pytest.mark.parametrize("lengths", [[1], [4], [3, 1, 5, 2, 3], [1, 1, 1]])
def test_gradient_of_the_scan_equals_finite_differences(lengths):
    torch.manual_seed(0)
    sequence, _, sizes = pack(torch.tensor(lengths))
    layer = LSTM(2, 3).double()
    table = torch.randn(4, 12, dtype=torch.float64, requires_grad=True)
    index = torch.randint(0, 4, sequence.shape)  # words share rows, so their gradients must add up

    weight = layer.weight_hh.detach().clone().requires_grad_()

    def scan(projected, weight_hh):
        return torch.func.functional_call(_Scanner(layer, index, sizes), {"layer.weight_hh": weight_hh}, (projected,))

    assert torch.autograd.gradcheck(scan, (table, weight))


def test_a_second_derivative_is_refused():
    layer, index = LSTM(2, 3), torch.arange(2)
    table = torch.randn(2, 12, requires_grad=True)
    total = layer.scan(table, index, [2]).sum() + table.pow(3).sum()
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(total, table, create_graph=True)


class _Scanner(nn.Module):
    def __init__(self, layer, index, sizes):
        super().__init__()
        self.layer, self.index, self.sizes = layer, index, sizes

    def forward(self, projected):
        return self.layer.scan(projected, self.index, self.sizes)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12))
@settings(max_examples=50, deadline=None)
def test_pack_is_the_layout_of_packed_sequence(lengths):
    sequence, step, sizes = pack(torch.tensor(lengths))
    words = torch.tensor([[100 * row + t for t in range(9)] for row in range(len(lengths))])
    packed = nn.utils.rnn.pack_padded_sequence(words, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    assert sizes == packed.batch_sizes.tolist()
    # Sequences of equal length may come in either order.
    assert sorted((100 * sequence + step).tolist()) == sorted(packed.data.tolist())
    assert [sorted(part.tolist()) for part in step.split(sizes)] == [[t] * size for t, size in enumerate(sizes)]
    first = sequence[: sizes[0]]
    for size, part in zip(sizes, sequence.split(sizes), strict=True):
        assert part.tolist() == first[:size].tolist()


def test_a_scan_resumes_from_a_state():
    """Two parts equal one pass; gradients reach the second part alone, and equal those of torch."""
    torch.manual_seed(0)
    layer, x, back = LSTM(5, 7).double(), torch.randn(9, 3, 5, dtype=torch.double), torch.randn(4, 3, 7).double()
    cell = as_torch_cell(layer, 5).double()
    zero = (torch.zeros(3, 7, dtype=torch.double),) * 2
    first, state = layer.resume(layer.project(x[:5].flatten(0, 1)), torch.arange(15), [3] * 5, zero)
    assert not any(part.requires_grad for part in state)
    second, _ = layer.resume(layer.project(x[5:].flatten(0, 1)), torch.arange(12), [3] * 4, state)
    whole = layer.scan(layer.project(x.flatten(0, 1)), torch.arange(27), [3] * 9)
    torch.testing.assert_close(torch.cat([first, second]), whole, atol=1e-12, rtol=0)
    (second.view(4, 3, 7) * back).sum().backward()
    c, h = state
    loss = torch.zeros((), dtype=torch.double)
    for t in range(4):
        h, c = cell(x[5 + t], (h, c))
        loss = loss + (h * back[t]).sum()
    loss.backward()
    order = torch.cat([torch.arange(14), torch.arange(21, 28), torch.arange(14, 21)])
    torch.testing.assert_close(layer.weight_hh.grad[:, order].t(), cell.weight_hh.grad, atol=1e-12, rtol=0)
    torch.testing.assert_close(layer.weight_ih.grad[:, order].t(), cell.weight_ih.grad, atol=1e-12, rtol=0)
