"""H-Net: compared with its equations, written for one sequence position by position, and with finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from hs_env.models.h_net.chunking import smooth, with_first
from hs_env.models.h_net.layers import HNet
from tests.models.equations import h_net

LENGTHS = [7, 12, 1, 9]


def double_net(stages: int, seed: int = 14, whole: bool = False) -> tuple[HNet, Tensor]:
    """A network with random weights and vectors (words, e)."""
    torch.manual_seed(seed)
    net = HNet(5, 6, 2, stages, whole=whole).double()
    for name, parameter in net.named_parameters():
        if "norms" not in name:
            torch.nn.init.normal_(parameter, std=0.6)
    return net, torch.randn(sum(LENGTHS), 5, dtype=torch.double)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("stages", [1, 2])
def test_outputs_boundaries_and_gradients_equal_the_equations(stages: int, whole: bool) -> None:
    net, vectors = double_net(stages, whole=whole)
    read = net(vectors, torch.arange(len(vectors)), torch.tensor(LENGTHS))
    outputs, boundaries = [], torch.zeros_like(read.boundaries)
    start = 0
    for length in LENGTHS:
        out, kept = h_net(net, list(vectors[start : start + length]))
        outputs += out
        places = torch.arange(start, start + length)
        for stage, positions in enumerate(kept):
            places = places[positions]
            boundaries[places, stage] = 1
        start += length
    expected = torch.stack(outputs)
    assert torch.equal(read.boundaries, boundaries)
    assert ((boundaries.mean(0) > 0.15) & (boundaries.mean(0) < 0.9)).all(), "the cuts would hide nothing"
    torch.testing.assert_close(read.output, expected, atol=1e-12, rtol=0)
    weight, parameters = torch.randn_like(expected), list(net.parameters())
    grads = torch.autograd.grad((read.output * weight).sum(), parameters)
    wanted = torch.autograd.grad((expected * weight).sum(), parameters)
    for grad, other in zip(grads, wanted, strict=True):
        torch.testing.assert_close(grad, other, atol=1e-9, rtol=1e-9)
    assert grads[[name for name, _ in net.named_parameters()].index("router.query")].abs().max() > 1e-4


def test_gradients_equal_finite_differences_where_the_network_is_smooth() -> None:
    """Cuts do not depend on the main network, the residual and the decoder, and smoothing is smooth."""
    net, vectors = double_net(1)

    def loss() -> Tensor:
        return net(vectors, torch.arange(len(vectors)), torch.tensor(LENGTHS)).output.sin().sum()

    loss().backward()
    for part in (net.main, net.residual, net.decoder):
        for parameter in part.parameters():
            direction = torch.randn_like(parameter)
            with torch.no_grad():
                parameter.add_(direction, alpha=1e-6)
                up = loss()
                parameter.sub_(direction, alpha=2e-6)
                down = loss()
                parameter.add_(direction, alpha=1e-6)
            assert parameter.grad is not None
            assert ((parameter.grad * direction).sum() - (up - down) / 2e-6).abs() < 1e-6
    chunks, p = torch.randn(6, 3, dtype=torch.double), torch.rand(6, dtype=torch.double)
    before = torch.randn(2, 3, dtype=torch.double)
    inputs = (chunks.requires_grad_(), p.requires_grad_(), torch.tensor([2, 4]), before)
    assert torch.autograd.gradcheck(smooth, inputs)


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_parts_of_any_size_equal_one_pass_and_sequences_are_independent(stages: int, size: int) -> None:
    net, vectors = double_net(stages)
    whole = net(vectors, torch.arange(len(vectors)), torch.tensor(LENGTHS))
    start, finals = 0, []
    for length in LENGTHS:
        state, parts = None, []
        for part in vectors[start : start + length].split(size):
            parts.append(net(part, torch.arange(len(part)), torch.tensor([len(part)]), state))
            state = parts[-1].state
        now = slice(start, start + length)
        torch.testing.assert_close(torch.cat([part.output for part in parts]), whole.output[now], atol=1e-12, rtol=0)
        assert torch.equal(torch.cat([part.boundaries for part in parts]), whole.boundaries[now])
        finals.append(parts[-1].state)
        start += length
    for part, after in zip(zip(*finals, strict=True), whole.state, strict=True):
        torch.testing.assert_close(torch.cat(part), after, atol=1e-12, rtol=0)


def test_streams_with_and_without_a_boundary_mix_in_one_part() -> None:
    """Four streams are read in parts of two positions, in which some have no boundary."""
    net, _ = double_net(2)
    streams = torch.randn(4, 20, 5, dtype=torch.double)
    index, state, outputs, empty = torch.arange(8), None, [], False
    for part in streams.split(2, 1):
        read = net(part.reshape(8, 5), index, torch.full((4,), 2), state)
        per_stream = read.boundaries[:, 0].view(4, 2).sum(1)
        empty |= bool((per_stream == 0).any() and (per_stream > 0).any())
        outputs.append(read.output.view(4, 2, -1))
        state = read.state
    whole = net(streams.reshape(80, 5), torch.arange(80), torch.full((4,), 20)).output.view(4, 20, -1)
    assert empty
    torch.testing.assert_close(torch.cat(outputs, 1), whole, atol=1e-12, rtol=0)


def test_chunk_layers_are_computed_at_boundaries_only() -> None:
    for stages in (1, 2):
        net, vectors = double_net(stages)
        read = net(vectors, torch.arange(len(vectors)), torch.tensor(LENGTHS))
        kept = read.boundaries.sum(0).long().tolist()
        by_position = sum(LENGTHS) * 3  # two layers of the encoder and one of the decoder
        assert read.computed == by_position + (kept[0] * 2 if stages == 1 else kept[0] * 3 + kept[1] * 2)
        assert sum(len(decisions.boundaries) for decisions in read.decisions[:1]) == sum(LENGTHS) - len(LENGTHS)


def test_a_row_is_put_before_each_sequence() -> None:
    z, before = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[10.0], [20.0], [30.0]])
    mixed = with_first(z, torch.tensor([2, 0, 1]), before)
    assert mixed[:, 0].tolist() == [10, 1, 2, 20, 30, 3]
