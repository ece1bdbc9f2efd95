"""Control of boundary rates: the losses equal their formulas, and move detectors of three kinds to the target."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from hs_env.agents.reinforce import Reinforce, ReinforceParameters
from hs_env.errors import HsEnvError
from hs_env.models import HMLSTMClassifier
from hs_env.models.hm.classifier import HMParameters
from hs_env.models.rate import Control, Decisions, RateParameters, binomial_loss, controller_loss, rate_loss, ratio_loss
from hs_env.problems.composition import Composition
from hs_env.rewards import make_reward
from tests.builders import make_batch, make_encoder


def decisions(scores: Tensor, sequence: Tensor | None = None) -> Decisions:
    p = torch.sigmoid(scores)
    where = torch.zeros(len(scores), dtype=torch.long) if sequence is None else sequence
    return Decisions((p > 0.5).to(p.dtype), p, scores, where)


def test_the_losses_are_those_of_the_papers() -> None:
    scores = torch.tensor([2.0, -1.0, -3.0, 0.5, -0.2], dtype=torch.double, requires_grad=True)
    made = decisions(scores, torch.tensor([0, 0, 0, 4, 4]))
    chosen, probable, n = 2 / 5, made.p.mean().item(), 6.0
    ratio = ratio_loss(made, 1 / 6)
    assert ratio.item() == pytest.approx(n / (n - 1) * ((n - 1) * chosen * probable + (1 - chosen) * (1 - probable)))
    (gradient,) = torch.autograd.grad(ratio, scores, retain_graph=True)
    expected = n / (n - 1) * (n * chosen - 1) / 5 * made.p * (1 - made.p)
    torch.testing.assert_close(gradient, expected.detach())

    first = -math.log(3 * 0.2 * 0.8**2) / 3  # one of three
    second = -math.log(2 * 0.2 * 0.8) / 2  # one of two
    assert binomial_loss(made, 0.2).item() == pytest.approx((first + second) / 2)
    (gradient,) = torch.autograd.grad(binomial_loss(made, 0.2), scores, retain_graph=True)
    assert (gradient > 0).all()  # both rates are above 0.2

    control = controller_loss(made, 0.2)
    torch.testing.assert_close(torch.autograd.grad(control, scores)[0], torch.full_like(scores, (0.4 - 0.2) / 5))


def test_no_target_or_no_decision_costs_nothing() -> None:
    made = decisions(torch.randn(4))
    assert rate_loss(RateParameters(), [made]) is None
    assert rate_loss(RateParameters(0.2), [decisions(torch.randn(0))]) is None
    alone = rate_loss(RateParameters(0.2, "ratio", 2.0), [made, decisions(torch.randn(0))])
    assert alone is not None
    assert alone.item() == pytest.approx(2 * ratio_loss(made, 0.2).item())


@pytest.mark.parametrize(
    ("change", "message"), [({"boundary_rate": 1.0}, "boundary_rate"), ({"rate_control": "pid"}, "one of")]
)
def test_impossible_values_are_refused(change: dict, message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        HMParameters(**change)
    with pytest.raises(HsEnvError, match=message):
        ReinforceParameters(**change)


@pytest.mark.parametrize("control", get_args(Control))
def test_detectors_of_hm_lstm_reach_the_target_whether_silent_or_loud(control: str) -> None:
    batch = make_batch([7] * 12)
    for bias in (-0.6, 0.6):
        torch.manual_seed(0)
        rate = {"boundary_rate": 0.3, "rate_control": control, "rate_weight": 1.0}
        model = HMLSTMClassifier(30, 3, 6, 8, dropout=0.5, layers=2, **rate)
        with torch.no_grad():
            for layer in model.levels.biases[:-1]:
                layer[-1] = bias
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        for _ in range(40):
            loss = model.penalised(batch)[1]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        lowest = model.eval().parse(batch).boundaries[:, :-1, 0].float().mean()
        assert abs(lowest - 0.3) < 0.06


def test_the_last_word_and_a_silent_level_below_are_no_decisions() -> None:
    torch.manual_seed(0)
    model, batch = HMLSTMClassifier(30, 3, 6, 8, dropout=0.0), make_batch([5, 3])
    reading, sequence, ends, _ = model._scan(batch)
    first, second = model.levels.decisions(reading, sequence, ends)
    assert first.sequence.sort().values.tolist() == [0] * 4 + [1] * 2
    lowest = reading.z[:, 0].bool()
    assert len(second.boundaries) == int((lowest & ~ends).sum())
    with torch.no_grad():
        assert model.levels.decisions(model._scan(batch)[0], sequence, ends) == []


def test_a_policy_reaches_the_target() -> None:
    """The reward is constant, so only the control moves the policy."""
    encoder, batch = make_encoder(), make_batch([8] * 16)
    parameters = ReinforceParameters(
        boundary_rate=0.2, rate_control="controller", rate_weight=2.0, entropy_bonus=0.0, learning_rate=0.02
    )
    torch.manual_seed(0)
    agent = Reinforce(encoder.state_size, encoder.problem, parameters)
    constant, generator = make_reward("0 * hs_lstm"), torch.Generator().manual_seed(0)
    for _ in range(80):
        update = agent.update(encoder, batch, constant, generator=generator)
    chosen = update.episodes.actions[:, :-1].float().mean()
    assert abs(chosen - 0.2) < 0.06


def test_a_policy_of_three_actions_has_no_rate() -> None:
    with pytest.raises(HsEnvError, match="between two actions"):
        Reinforce(8, Composition(), ReinforceParameters(boundary_rate=0.2))
