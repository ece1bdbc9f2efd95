"""Gradient estimators against exact enumeration: the unbiased ones are, the biased ones are as theory says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from hs_env.agents import ESTIMATORS, PNet, Reinforce, ReinforceParameters
from hs_env.agents.estimators import Estimator, Exact, ExpectedReward, LeaveOneOut, MovingAverage, lab
from hs_env.agents.estimators.base import walk
from hs_env.agents.estimators.branching import branch_rewards
from hs_env.agents.estimators.lab import Measured, measure
from hs_env.errors import HsEnvError
from hs_env.models import HSLSTM, IDLSTM
from hs_env.problems.segmentation import END, SEGMENTATION
from hs_env.rewards import HSLSTMReward, Reward, make_reward
from hs_env.storage import load_state, save_state
from hs_env.types import Episodes
from tests.builders import make_batch, make_encoder

UNBIASED = ["rloo", "moving_average", "self_critical", "local_expectation", "arm", "disarm", "rebar", "relax"]
BIASED = ["st_identity", "st_sigmoid", "st_hard", "st_gumbel"]


def make_policy(state_size: int, spread: float = 1.0) -> PNet:
    """A policy far from uniform whose decisions depend on what was decided before."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        policy = PNet(state_size)
        torch.nn.init.normal_(policy.layers[-1].weight, std=spread)
        torch.nn.init.constant_(policy.layers[-1].bias, 0.4)
    return policy


def gradient(estimator: Estimator, expected: ExpectedReward, policy: PNet, seed: int = 0) -> Tensor:
    return lab.gradient(estimator, expected, list(policy.parameters()), torch.Generator().manual_seed(seed))[0]


def make_expected(kind: type = HSLSTM, copies: int = 1, samples: int = 2) -> tuple[ExpectedReward, PNet]:
    """Sentences of 3 and 5 words, which many times over are an average over as many estimates."""
    encoder = make_encoder(kind)
    policy = make_policy(encoder.state_size)
    batch = make_batch([3, 5]).repeat(copies)
    return ExpectedReward(encoder, policy, batch, HSLSTMReward(gamma=1.0), samples), policy


def test_enumeration_has_the_gradient_of_finite_differences() -> None:
    expected, policy = make_expected()
    exact, weight = gradient(Exact(), expected, policy), policy.layers[-1].weight

    def expected_reward() -> float:
        return Exact().estimate(expected).objective.item()

    for place in range(0, weight.numel(), 7):
        with torch.no_grad():
            weight[0, place] += 1e-2
            up = expected_reward()
            weight[0, place] -= 2e-2
            down = expected_reward()
            weight[0, place] += 1e-2
        assert (up - down) / 2e-2 == pytest.approx(exact[place].item(), abs=2e-4)


def sample(name: str, kind: type = HSLSTM, copies: int = 150) -> Measured:
    """30 means over `copies` estimates each; by then those that learn have learnt something."""
    expected, policy = make_expected(kind)
    estimator = ESTIMATORS.get(name)(expected.encoder.state_size)
    return measure(estimator, expected, list(policy.parameters()), 30, warm_up=4, copies=copies)


def scores(sampled: Measured) -> Tensor:
    """Distances of the mean from the exact gradient in standard errors."""
    return ((sampled.mean - sampled.exact) / sampled.error).abs()


@pytest.mark.parametrize("name", UNBIASED)
@pytest.mark.parametrize("kind", [HSLSTM, IDLSTM])
def test_the_mean_of_an_unbiased_estimator_is_the_gradient(name: str, kind: type) -> None:
    sampled = sample(name, kind)
    assert scores(sampled).max() < 4.5
    assert sampled.bias < 0.1
    wrong = replace(sampled, estimates=0.7 * sampled.estimates)
    assert scores(wrong).max() > 4.5, "an estimator that is 30% too small would be seen"
    assert wrong.bias > 0.2


@pytest.mark.parametrize("name", BIASED)
def test_straight_through_is_biased(name: str) -> None:
    assert scores(sample(name, copies=800)).max() > 6


class Square(Reward):
    """(n/L)^2, which is not linear in the decisions."""

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        return {"square": (episodes.weight(END).sum(1) / episodes.sentences.lengths).square()}


def constant_expected(reward: Reward, logit: float, length: int, copies: int) -> tuple[ExpectedReward, PNet]:
    """Independent decisions, all with the same logit: what is learnt is the bias of the policy."""
    encoder = make_encoder()
    policy = PNet(encoder.state_size)
    torch.nn.init.zeros_(policy.layers[-1].weight)
    torch.nn.init.constant_(policy.layers[-1].bias, logit)
    return ExpectedReward(encoder, policy, make_batch([length]).repeat(copies), reward, 2), policy


@pytest.mark.parametrize("logit", [-1.5, 0.3, 0.8])
def test_straight_through_a_reward_that_is_linear(logit: float) -> None:
    """With the probability's gradient it is exact, and without noise; else it is off by a known factor."""
    expected, policy = constant_expected(make_reward("phrases"), logit, 6, 1)
    theta = torch.tensor(logit).sigmoid().item()
    exact = 5 / 6 * theta * (1 - theta)
    assert gradient(Exact(), expected, policy)[-1].item() == pytest.approx(exact, abs=1e-6)
    backward = {"st_sigmoid": theta * (1 - theta), "st_identity": 1.0, "st_hard": 0.5 if abs(logit) < 1 else 0.0}
    for name, slope in backward.items():
        for seed in range(3):
            estimator = ESTIMATORS.get(name)(expected.encoder.state_size)
            assert gradient(estimator, expected, policy, seed)[-1].item() == pytest.approx(5 / 6 * slope, abs=1e-6)


@pytest.mark.parametrize("logit", [-1.0, 0.7])
def test_straight_through_a_square_misses_the_variance(logit: float) -> None:
    """For n = 1 + Binomial(m, theta), E[n^2] grows by m (1 - 2 theta) + 2 m E[n]; straight through, by 2 m E[n]."""
    expected, policy = constant_expected(Square(), logit, 6, 3000)
    theta, m = torch.tensor(logit).sigmoid().item(), 5
    slope, mean = theta * (1 - theta) / 36, 1 + 5 * theta
    one = replace(expected, batch=expected.batch.select(torch.tensor([0])))
    assert gradient(Exact(), one, policy)[-1].item() == pytest.approx(
        slope * (m * (1 - 2 * theta) + 2 * m * mean), abs=1e-5
    )
    straight = gradient(ESTIMATORS.get("st_sigmoid")(0), expected, policy)[-1].item()
    assert straight == pytest.approx(slope * 2 * m * mean, rel=0.02)


def total_variance(name: str) -> float:
    expected, policy = make_expected()
    estimator = ESTIMATORS.get(name)(expected.encoder.state_size)
    return measure(estimator, expected, list(policy.parameters()), 100, copies=4).variance


@pytest.mark.slow
def test_variances_are_ordered() -> None:
    """DisARM is ARM averaged over what it does not need; local expectation averages more."""
    arm, disarm, local = (total_variance(name) for name in ("arm", "disarm", "local_expectation"))
    assert local < disarm < arm
    expected, policy = make_expected(copies=4)
    # The moving average of no batch at all is no baseline.
    without = torch.stack([gradient(MovingAverage(), expected, policy, seed) for seed in range(100)])
    relative = (
        without.var(0).sum() / gradient(Exact(), replace(expected, batch=make_batch([3, 5])), policy).square().sum()
    ).item()
    assert disarm < total_variance("rloo") < relative


@torch.no_grad()
def test_a_flipped_action_changes_what_comes_after_it_only() -> None:
    expected, policy = make_expected(copies=3)
    walked = walk(expected, torch.Generator().manual_seed(0))
    free = walked.choices.free
    flipped = free[..., None] & ~one_hot(walked.actions, 2).bool()
    rewards, steps = branch_rewards(expected, walked, flipped)
    for row, t in free.nonzero().tolist():
        state, actions = walked.states[t].select(torch.tensor([row])), walked.actions[row].clone()
        actions[t] = 1 - actions[t]
        state = expected.encoder.advance(state, actions[t : t + 1])
        while state.reading.item():
            position = int(state.position)
            theta = policy(expected.encoder.observe(state)).sigmoid()
            actions[position] = int(walked.uniforms[row, position] < theta) if not state.at_last_word.item() else 1
            state = expected.encoder.advance(state, actions[position : position + 1])
        one = walked.sentences.select(torch.tensor([row]))
        earned = expected.earned(one, actions[None], state)[1].total
        assert rewards[row, t, 1 - walked.actions[row, t]].item() == pytest.approx(earned.item(), abs=1e-5)
    assert (rewards[~flipped] == 0).all()
    lengths = walked.sentences.lengths
    assert steps == sum(int(lengths[row]) - t for row, t in free.nonzero().tolist())


@pytest.mark.parametrize("name", [*UNBIASED, "grpo", "ppo", *BIASED])
def test_every_estimator_learns(name: str) -> None:
    encoder, batch = make_encoder(), make_batch([4, 6, 5, 6])
    for expression, best in (("log_likelihood + 2 * phrases", 1.0), ("log_likelihood - 2 * phrases", 0.25)):
        torch.manual_seed(0)
        parameters = ReinforceParameters(estimator=name, samples=4, learning_rate=0.05, hidden_size=4)
        agent = Reinforce(encoder.state_size, SEGMENTATION, parameters)
        reward = make_reward(expression)
        for seed in range(40):
            update = agent.update(encoder, batch, reward, generator=torch.Generator().manual_seed(seed))
        lengths = update.episodes.sentences.lengths
        phrases = SEGMENTATION.spans(update.episodes.actions, lengths).counts(len(lengths))
        share = (phrases / lengths).mean().item()
        assert share == pytest.approx(best, abs=0.1)
        assert update.metrics["passes"] >= 4


@pytest.mark.parametrize("name", ["moving_average", "ppo", "rebar", "relax", "st_hard", "disarm"])
def test_what_an_estimator_has_learnt_is_saved(name: str, tmp_path: Path) -> None:
    encoder, batch, reward = make_encoder(), make_batch([4, 6]), HSLSTMReward()
    parameters = ReinforceParameters(estimator=name, samples=3)

    def trained(agent: Reinforce, seeds: range) -> dict[str, Tensor]:
        for seed in seeds:
            agent.update(encoder, batch, reward, generator=torch.Generator().manual_seed(seed))
        return agent.pnet.state_dict()

    agents = []
    for _ in range(2):
        torch.manual_seed(0)
        agents.append(Reinforce(encoder.state_size, SEGMENTATION, parameters))
    whole = trained(agents[0], range(6))
    torch.manual_seed(0)
    trained(agents[1], range(3))
    save_state(tmp_path / "state", "test", agents[1].state_dict())
    torch.manual_seed(5)
    resumed = Reinforce(encoder.state_size, SEGMENTATION, parameters)
    resumed.load_state_dict(load_state(tmp_path / "state", "test"))
    for key, value in trained(resumed, range(3, 6)).items():
        assert torch.equal(value, whole[key]), key


def test_errors_teach() -> None:
    expected, _ = make_expected()
    smooth = replace(expected, reward=make_reward("log_likelihood + accuracy"))
    with pytest.raises(HsEnvError, match="'accuracy' of the reward does not depend smoothly"):
        ESTIMATORS.get("st_sigmoid")(0).estimate(smooth)
    long = replace(expected, batch=make_batch([13]))
    with pytest.raises(HsEnvError, match="at most 12 words, got one of 13"):
        Exact().estimate(long)
    with pytest.raises(HsEnvError, match="no state of REINFORCE"):
        LeaveOneOut().load_state_dict({"average": 1})
    with pytest.raises(HsEnvError, match=r"Did you mean 'disarm\.v1'"):
        ReinforceParameters(estimator="disarms")


@pytest.mark.parametrize(
    ("objective", "came"),
    [
        (lambda objective: objective.detach(), r"a tensor of shape \(\) without gradient"),
        (lambda objective: objective.expand(2), r"a tensor of shape \(2,\) with gradient"),
        (lambda objective: objective.item(), "-"),
    ],
)
def test_an_objective_that_teaches_nothing_is_refused(objective, came: str) -> None:
    class Wrong(LeaveOneOut):
        def steps(self, expected, generator=None):
            for estimate in super().steps(expected, generator):
                yield replace(estimate, objective=objective(estimate.objective))

    expected, _ = make_expected()
    agent = Reinforce(expected.encoder.state_size, SEGMENTATION)
    agent.estimator = Wrong()
    with pytest.raises(HsEnvError, match=f"The objective of the estimator Wrong must be a scalar.*got .*{came}"):
        agent.update(expected.encoder, expected.batch, expected.reward)


@pytest.mark.parametrize(
    "name",
    "phrases deletions transitions boundary_rate deletion_rate phrase_length boundary_f1 hs_lstm id_lstm".split(),
)
def test_rewards_are_smooth_in_relaxed_actions(name: str) -> None:
    """The same value as for hard actions, and the gradient of finite differences."""
    batch, generator = make_batch([4, 6]), torch.Generator().manual_seed(3)
    hard = torch.randint(0, 2, (2, 6), generator=generator) * batch.mask
    hard = hard.scatter(1, batch.lengths[:, None] - 1, 1)
    log_probs = torch.randn(2, 3, generator=generator).log_softmax(1)
    reward = make_reward(name)
    relaxed = hard.double().requires_grad_()
    value = reward(Episodes(batch, relaxed, log_probs)).total
    torch.testing.assert_close(value, reward(Episodes(batch, hard, log_probs)).total)
    inner = (0.2 + 0.6 * hard.float() + torch.tensor([0.0, 0.03, 0.06, 0.01, 0.05, 0.02])).requires_grad_()
    grad = torch.autograd.grad(reward(Episodes(batch, inner, log_probs)).total.sum(), inner)[0]
    assert grad.abs().max() > 0
    direction = torch.randn(2, 6, generator=generator) * batch.mask
    with torch.no_grad():
        up = reward(Episodes(batch, inner + 1e-3 * direction, log_probs)).total.sum()
        down = reward(Episodes(batch, inner - 1e-3 * direction, log_probs)).total.sum()
    assert ((up - down) / 2e-3).item() == pytest.approx((grad * direction).sum().item(), abs=2e-2)
