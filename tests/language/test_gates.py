"""Policy gradient of boundaries: against loops, and against the gradient of an enumerated expectation."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from hs_env.errors import HsEnvError
from hs_env.language import LMConfig
from hs_env.language.gates import GateParameters, gate_loss, policy_loss


@pytest.mark.parametrize("discount", [0.0, 0.5, 1.0])
def test_the_loss_equals_its_formula(discount: float) -> None:
    torch.manual_seed(0)
    rewards, log_probs = torch.randn(5, 3, dtype=torch.double), torch.randn(5, 3, dtype=torch.double)
    expected = 0.0
    for t in range(5):
        for stream in range(3):
            total = sum(discount ** (k - t) * (rewards[k, stream] - rewards[k].mean()).item() for k in range(t, 5))
            expected -= total * log_probs[t, stream].item() / 15
    loss = gate_loss(GateParameters(discount=discount), rewards, log_probs)
    assert loss.item() == pytest.approx(expected)


def test_the_expected_gradient_is_that_of_the_expected_reward() -> None:
    """Without discount and baseline, over all boundaries of four steps; a reward depends on all boundaries so far."""
    torch.manual_seed(1)
    steps = 4
    scores = torch.randn(steps, dtype=torch.double, requires_grad=True)
    table = {path: torch.randn(()).item() for t in range(steps) for path in product((0, 1), repeat=t + 1)}
    parameters = GateParameters(discount=1.0, baseline=False)
    expected_reward, estimate = scores.new_zeros(()), torch.zeros_like(scores)
    for path in product((0, 1), repeat=steps):
        chosen = torch.tensor(path, dtype=torch.double)
        log_probs = torch.nn.functional.logsigmoid(scores * (2 * chosen - 1))
        rewards = torch.tensor([table[path[: t + 1]] for t in range(steps)], dtype=torch.double)
        probability = log_probs.sum().exp()
        expected_reward = expected_reward + probability * rewards.sum()
        (gradient,) = torch.autograd.grad(
            gate_loss(parameters, rewards[:, None], log_probs[:, None]), scores, retain_graph=True
        )
        estimate -= probability.detach() * gradient * steps  # the loss is a mean over the steps
    (wanted,) = torch.autograd.grad(expected_reward, scores)
    torch.testing.assert_close(estimate, wanted, atol=1e-12, rtol=0)


def test_the_reward_is_what_chunks_add_to_the_early_exit() -> None:
    late, early = torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 2.5]])
    log_probs = torch.tensor([[-0.5, -0.7]], requires_grad=True)
    parameters = GateParameters(baseline=False)
    loss = policy_loss(parameters, late, early, log_probs)
    assert loss.item() == pytest.approx(0.9 * 1.5 + 0.1 * 2.25 + 0.01 * (0.5 + 0.35) / 2)
    torch.testing.assert_close(torch.autograd.grad(loss, log_probs)[0], torch.tensor([[-0.005, -0.0025]]))
    alone = policy_loss(parameters, late, None, log_probs)
    assert alone.item() == pytest.approx(1.5 - 0.01 * (0.5 + 1.4) / 2)


def test_equal_streams_have_no_advantage() -> None:
    log_probs = torch.randn(6, 4, requires_grad=True)
    loss = gate_loss(GateParameters(), torch.randn(6, 1).expand(6, 4), log_probs)
    torch.testing.assert_close(torch.autograd.grad(loss, log_probs)[0], torch.zeros(6, 4), atol=1e-7, rtol=0)


def test_the_loss_teaches_where_boundaries_pay() -> None:
    """A boundary adds 1 to the reward at even steps and subtracts 1 at odd ones. The baseline removes the noise."""
    generator = torch.Generator().manual_seed(2)
    scores = torch.zeros(6, requires_grad=True)
    optimizer = torch.optim.Adam([scores], lr=0.1)
    gain = torch.tensor([1.0, -1.0] * 3)[:, None]
    for _ in range(60):
        chosen = (torch.rand(6, 32, generator=generator) < torch.sigmoid(scores.detach())[:, None]).float()
        log_probs = torch.nn.functional.logsigmoid(scores[:, None] * (2 * chosen - 1))
        rewards = chosen * gain + 3 * torch.randn(6, 1, generator=generator)
        optimizer.zero_grad()
        gate_loss(GateParameters(discount=0.9), rewards, log_probs).backward()
        optimizer.step()
    assert ((scores > 1) == (gain[:, 0] > 0)).all()
    assert ((scores < -1) == (gain[:, 0] < 0)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"router": "cosines"}, "router must be one of 'cosine'"),
        ({"discount": 1.5}, "discount"),
        ({"core": "h_net", "router": "gumbel", "stages": 2}, "several stages"),
        ({"core": "h_net", "router": "reinforce", "batch_size": 1}, "mean over the streams"),
        ({"seed": 2**63}, "seed must be a whole number"),
    ],
)
def test_impossible_configurations_are_refused(change: dict, message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        LMConfig(**change)
