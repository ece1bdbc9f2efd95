"""Rewards with a target, and their multiplier."""

from __future__ import annotations

import json

import pytest

from hs_env.errors import HsEnvError
from hs_env.rewards import BoundaryRate, DeletionRate, LogLikelihood, PhraseLength, make_reward
from tests.rewards.builders import one_sentence

VERDICT = [-0.5, -1.0, -3.0]


def episodes(*actions):
    return one_sentence(list(actions), [VERDICT] * len(actions))


def test_penalties():
    both = episodes("0000100001", "1111111111")
    assert BoundaryRate(0.3, weight=2)(both).total.tolist() == pytest.approx([-2 * 0.1, -2 * 0.7])
    assert PhraseLength(3.0, weight=2)(both).total.tolist() == pytest.approx([-2 * 2, -2 * 2])


def test_the_multiplier_rises_by_the_violation_of_the_mean_and_falls_without_one():
    reward = BoundaryRate(0.5, rate=2.0, tolerance=0.1, weight=1.0, max_weight=2.0)
    reward.adapt(episodes("1111111111", "1111111111"))
    assert reward.multiplier == pytest.approx(1 + 2 * (0.5 - 0.1))
    reward.adapt(episodes("1111111111"))
    assert reward.multiplier == 2.0
    reward.adapt(episodes("1111111111", "0000000001"))  # mean 0.55
    assert reward.multiplier == pytest.approx(2 + 2 * (0.05 - 0.1))
    for _ in range(30):
        reward.adapt(episodes("0101010101"))
    assert reward.multiplier == 0.0


def test_without_a_rate_the_weight_stays():
    reward = BoundaryRate(weight=3)
    reward.adapt(episodes("11111"))
    assert reward.multiplier == 3.0


def test_a_call_changes_nothing():
    reward = PhraseLength(rate=1.0)
    state = reward.state_dict()
    reward(episodes("11111"))
    assert reward.state_dict() == state


def test_combinations_pass_adapting_and_states_on():
    text = "log_likelihood - 0.5 * (accuracy - boundary_rate(target=0.2, rate=1)) + phrase_length(rate=0.1)"
    reward, other = make_reward(text), make_reward(text)
    reward.adapt(episodes("1111111111"))
    state = json.loads(json.dumps(reward.state_dict()))
    assert state != other.state_dict()
    other.load_state_dict(state)
    assert other.state_dict() == state
    batch = episodes("1111111111", "0000100001")
    assert other(batch).total.tolist() == reward(batch).total.tolist()


def test_a_policy_is_held_at_its_target():
    """A policy that climbs the reward, and would have no boundaries without the constraint."""
    reward, rate, rates = BoundaryRate(0.3, rate=0.02, weight=0.0), 1.0, []
    for _ in range(2000):
        ends = round(rate * 100)
        reward.adapt(episodes("0" * (100 - ends) + "1" * ends))
        slope = -1.0 + reward.multiplier * (1 if rate < 0.3 else -1)  # of -n/L and the penalty
        rate = min(max(rate + 0.01 * slope, 0.01), 1.0)
        rates.append(rate)
    assert reward.multiplier == pytest.approx(1.0, abs=0.5)
    assert sum(rates[-500:]) / 500 == pytest.approx(0.3, abs=0.04)


def test_a_deletion_is_worth_more_while_too_few_are_made_and_less_once_there_are_enough():
    reward = DeletionRate(0.3, weight=0.1, rate=0.5)
    few, many = episodes("1111111111"), episodes("1111100000")
    assert reward(many).total.tolist() == pytest.approx([0.1 * 0.5])
    reward.adapt(few)
    assert reward.multiplier == pytest.approx(0.1 + 0.5 * 0.3)
    reward.adapt(many)
    assert reward.multiplier == pytest.approx(0.25 - 0.5 * 0.2)
    for _ in range(30):
        reward.adapt(many)
    assert reward.multiplier == 0.0


def test_the_bonus_of_a_deletion_finds_the_share_that_was_asked_for():
    """A policy that deletes word after word, the cheapest first, while that is worth more than it costs."""
    costs, reward, shares = [0.01 * rank for rank in range(20)], DeletionRate(0.4, weight=0.0, rate=0.01), []
    for _ in range(1000):
        deleted = sum(cost < reward.multiplier for cost in costs)
        reward.adapt(episodes("0" * deleted + "1" * (20 - deleted)))
        shares.append(deleted / 20)
    assert sum(shares[-200:]) / 200 == pytest.approx(0.4, abs=0.03)
    assert 0.07 <= reward.multiplier <= 0.09  # eight words cost at most 0.07


@pytest.mark.parametrize(
    ("reward", "state"),
    [
        (BoundaryRate(), {}),
        (BoundaryRate(), {"multiplier": -1}),
        (BoundaryRate(), {"multiplier": "1"}),
        (DeletionRate(), {"multiplier": 11.0}),
        (LogLikelihood(), {"multiplier": 1.0}),
        (LogLikelihood() + BoundaryRate(), {"multiplier": 1.0}),
        (2 * BoundaryRate(), {"left": {}, "right": {}}),
    ],
)
def test_a_state_of_another_reward_is_refused(reward, state):
    with pytest.raises(HsEnvError, match=r"not a state of the reward|multiplier must be"):
        reward.load_state_dict(state)


@pytest.mark.parametrize(
    "parameters",
    ["target=0.3, weight=11", "target=1.5", "rate=-1", "tolerance=-0.1", "max_weight=-1", "target='much'", "weight=-1"],
)
def test_parameters_are_checked(parameters):
    with pytest.raises(
        HsEnvError, match=r"boundary_rate\.v1' does not take these parameters: \w+ must be a number from"
    ):
        make_reward(f"boundary_rate({parameters})")
