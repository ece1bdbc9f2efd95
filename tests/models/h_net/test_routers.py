"""Routers of H-Net: what they decide, and where gradients go."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor

from hs_env.errors import HsEnvError
from hs_env.models.h_net.layers import HNet
from hs_env.models.h_net.routers import PERIOD, RouterName, SampledRouter, make_router
from hs_env.models.h_net.stack import Reading
from tests.models.equations import stack_outputs

LENGTHS = [7, 12, 1, 9]
WORDS = sum(LENGTHS)
TOKENS = torch.arange(WORDS) % 4


def routed_net(name: RouterName, rate: float = 0.3) -> HNet:
    """A network with random weights in double precision, in eval mode."""
    torch.manual_seed(3)
    net = HNet(5, 6, 2, router=make_router(name, 6, rate, [2])).double().eval()
    for key, parameter in net.named_parameters():
        if "norms" not in key:
            torch.nn.init.normal_(parameter, std=0.6)
    return net


def vectors() -> Tensor:
    return torch.randn(WORDS, 5, dtype=torch.double, generator=torch.Generator().manual_seed(0))


def read(net: HNet, inputs: Tensor) -> Reading:
    result: Reading = net(inputs, torch.arange(WORDS), torch.tensor(LENGTHS), None, TOKENS)
    return result


@pytest.mark.parametrize("name", get_args(RouterName))
@pytest.mark.parametrize("size", [1, 5])
def test_parts_of_any_size_equal_one_pass(name: RouterName, size: int) -> None:
    net, inputs = routed_net(name), vectors()
    whole, start = read(net, inputs), 0
    for length in LENGTHS:
        state, outputs, boundaries = None, [], []
        for part in torch.arange(start, start + length).split(size):
            now = net(inputs[part], torch.arange(len(part)), torch.tensor([len(part)]), state, TOKENS[part])
            outputs.append(now.output)
            boundaries.append(now.boundaries)
            state = now.state
        torch.testing.assert_close(torch.cat(outputs), whole.output[start : start + length], atol=1e-12, rtol=0)
        assert torch.equal(torch.cat(boundaries), whole.boundaries[start : start + length])
        start += length


def test_fixed_routers_decide_by_character_and_by_position() -> None:
    inside = torch.cat([torch.arange(length) for length in LENGTHS])
    found = {name: read(routed_net(name), vectors()).boundaries[:, 0].bool() for name in ("spaces", "every", "random")}
    assert torch.equal(found["spaces"], (TOKENS == 2) | (inside == 0))
    assert torch.equal(found["every"], inside % 3 == 0)
    drawn = make_router("random", 6, 0.3, []).pattern
    assert len(drawn) == PERIOD
    assert drawn.float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert torch.equal(found["random"], drawn[inside] | (inside == 0))
    assert all(not read(routed_net(name), vectors()).decisions for name in found)


def test_spaces_need_the_characters() -> None:
    with pytest.raises(HsEnvError, match="number of the character"):
        routed_net("spaces")(vectors(), torch.arange(WORDS), torch.tensor(LENGTHS))


@pytest.mark.parametrize("name", ["reinforce", "spaces"])
def test_without_a_gradient_through_p_chunk_vectors_are_held_as_they_are(name: RouterName) -> None:
    """The outputs equal the equations without smoothing and confidence, for one sequence position by position."""
    net, inputs = routed_net(name), vectors()
    result, start = read(net, inputs), 0
    for length in LENGTHS:
        now = slice(start, start + length)
        x = stack_outputs(net.encoder, list(inputs[now]))
        kept = result.boundaries[now, 0].nonzero().squeeze(1).tolist()
        chunks = stack_outputs(net.main, [x[t] for t in kept])
        held = [chunks[sum(place <= t for place in kept) - 1] for t in range(length)]
        mixed = [z + net.residual.weight @ below for z, below in zip(held, x, strict=True)]
        expected = torch.stack(stack_outputs(net.decoder, mixed))
        torch.testing.assert_close(result.output[now], expected, atol=1e-12, rtol=0)
        start += length


@pytest.mark.parametrize("name", ["straight_through", "gumbel", "reinforce"])
def test_the_output_has_a_gradient_to_the_decisions_unless_they_are_actions(name: RouterName) -> None:
    net, inputs = routed_net(name).train(), vectors()
    result = read(net, inputs)
    weight = net.router.head.weight
    (gradient,) = torch.autograd.grad(result.output.sin().sum(), weight, allow_unused=True, retain_graph=True)
    assert (gradient is None) == (name == "reinforce")
    assert (result.gates is not None) == (name == "reinforce")
    if gradient is not None:
        assert gradient.abs().max() > 1e-6


def test_log_probabilities_are_those_of_the_drawn_boundaries() -> None:
    net, inputs = routed_net("reinforce").train(), vectors()
    torch.manual_seed(5)
    result = read(net, inputs)
    gates = result.gates
    assert gates is not None
    p = torch.sigmoid(net.router.head(gates.x).squeeze(1))
    chosen = result.boundaries[:, 0].bool()
    expected = torch.where(chosen, p, 1 - p).log()
    forced = torch.tensor([0, 7, 19, 20])
    assert chosen[forced].all()
    torch.testing.assert_close(gates.log_probs, expected.index_fill(0, forced, 0.0))
    assert len(result.decisions[0].p) == WORDS - len(LENGTHS)


@pytest.mark.parametrize("name", ["gumbel", "reinforce"])
def test_boundaries_are_drawn_with_the_probability_of_the_unit(name: RouterName) -> None:
    """Gumbel noise and a threshold draw with the same probability."""
    router = make_router(name, 4, 0.3, []).double()
    assert isinstance(router, SampledRouter)
    scores = torch.tensor([-2.0, 0.0, 1.0], dtype=torch.double).repeat(20_000)
    noise = torch.rand(60_000, dtype=torch.double, generator=torch.Generator().manual_seed(2))
    shares = router.decide(scores, noise)[1].double().view(-1, 3).mean(0)
    torch.testing.assert_close(shares, torch.sigmoid(scores[:3]), atol=0.015, rtol=0)


def test_random_numbers_are_new_in_training_and_fixed_in_evaluation() -> None:
    net, inputs = routed_net("reinforce"), vectors()
    assert torch.equal(read(net, inputs).boundaries, read(net, inputs).boundaries)
    net.train()
    assert not all(torch.equal(read(net, inputs).boundaries, read(net, inputs).boundaries) for _ in range(5))
