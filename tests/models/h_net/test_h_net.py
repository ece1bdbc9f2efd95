"""H-Net: compared with its equations, written for one sequence position by position, and with finite differences."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm, normalize

from hs_env.models.h_net.chunking import smooth, with_first
from hs_env.models.h_net.layers import HNet
from hs_env.models.h_net.stack import LSTMStack
from tests.models.equations import lstm

LENGTHS = [7, 12, 1, 9]


def naive_stack(stack: LSTMStack, inputs: list[Tensor]) -> list[Tensor]:
    """LSTM layers with layer normalisation, one vector after the other."""
    for layer, norm in zip(stack.layers, stack.norms, strict=True):
        c = h = inputs[0].new_zeros(stack.hidden_size)
        outputs = []
        for x in inputs:
            c, h = lstm(layer, c, h, x)
            outputs.append(layer_norm(h, h.shape, norm.weight, norm.bias))
        inputs = outputs
    return inputs


def naive(net: HNet | LSTMStack, inputs: list[Tensor]) -> tuple[list[Tensor], list[list[int]]]:
    """Outputs of one sequence, and its boundaries at each stage: positions in the stage's own sequence."""
    if isinstance(net, LSTMStack):
        return naive_stack(net, inputs), []
    x = naive_stack(net.encoder, inputs)
    p = [x[0].new_tensor(1.0)]
    for before, now in pairwise(x):
        cosine = normalize(before @ net.router.query, dim=0) @ normalize(now @ net.router.key, dim=0)
        p.append(((1 - cosine) / 2).clamp(0, 1))
    kept = [t for t, value in enumerate(p) if value > 0.5]
    chunks, above = naive(net.main, [x[t] for t in kept])
    z, mixed = torch.zeros_like(x[0]), []
    for t, vector in enumerate(x):
        confidence = 1 - p[t]
        if t in kept:
            share = p[t].clamp(1e-4, 1 - 1e-4)
            z = share * chunks[kept.index(t)] + (1 - share) * z
            confidence = p[t]
        straight = 1 + confidence - confidence.detach()
        mixed.append(straight * z + net.residual.weight @ vector)
    return naive_stack(net.decoder, mixed), [kept, *above]


def double_net(stages: int, seed: int = 14) -> tuple[HNet, Tensor]:
    """A network with random weights and vectors (words, e)."""
    torch.manual_seed(seed)
    net = HNet(5, 6, 2, stages).double()
    for name, parameter in net.named_parameters():
        if "norms" not in name:
            torch.nn.init.normal_(parameter, std=0.6)
    return net, torch.randn(sum(LENGTHS), 5, dtype=torch.double)


@pytest.mark.parametrize("stages", [1, 2])
def test_outputs_boundaries_and_gradients_equal_the_equations(stages: int) -> None:
    net, vectors = double_net(stages)
    read = net(vectors, torch.arange(len(vectors)), torch.tensor(LENGTHS))
    outputs, boundaries = [], torch.zeros_like(read.boundaries)
    start = 0
    for length in LENGTHS:
        out, kept = naive(net, list(vectors[start : start + length]))
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
