"""The score-function family: advantages, clipped ratios, and several steps on the same episodes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hs_env.agents import ESTIMATORS, LogitPolicy, PNet, Reinforce, ReinforceParameters, rollout
from hs_env.agents.estimators import GRPO, PPO, ExpectedReward, LeaveOneOut, Score, ScoreFunction
from hs_env.agents.estimators.exact import Exact
from hs_env.agents.estimators.score import BaselineName, discounted, evaluated
from hs_env.errors import HsEnvError
from hs_env.models import ChunkLSTM
from hs_env.models.encoder import StructuredEncoder
from hs_env.problems.segmentation import SEGMENTATION
from hs_env.rewards import ChunkGain, DenseReward, HSLSTMReward, LogLikelihood
from hs_env.storage import load_state, save_state
from hs_env.types import Steps
from tests.builders import make_batch, make_encoder
from tests.ternary import STRESSED, make_stressed_encoder

NAMES = ["rloo", "moving_average", "self_critical", "grpo", "ppo"]


def make_expected(samples: int = 4, *, ternary: bool = False) -> ExpectedReward:
    encoder: StructuredEncoder = make_stressed_encoder() if ternary else make_encoder()
    encoder.requires_grad_(False)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        policy = PNet(encoder.state_size, 4, encoder.problem.num_actions)
        torch.nn.init.normal_(policy.layers[-1].weight, std=1.0)
    reward = LogLikelihood() if ternary else HSLSTMReward(gamma=1.0)
    return ExpectedReward(encoder, policy, make_batch([5, 1, 7, 4]), reward, samples)


def gradient(objective: Tensor, expected: ExpectedReward) -> Tensor:
    parts = torch.autograd.grad(objective, list(expected.policy.parameters()), retain_graph=True)
    return torch.cat([part.flatten() for part in parts])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def perturb(policy: PNet, size: float) -> None:
    """Take a step of a given size in a fixed direction."""
    noise = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += size * torch.randn(parameter.shape, generator=noise)


@pytest.mark.parametrize("ternary", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_the_first_step_is_the_advantage_times_the_score(name: str, ternary: bool) -> None:
    """Computed anew from the formula, on episodes that are read again word by word."""
    expected = make_expected(ternary=ternary)
    estimate = ESTIMATORS.get(name)(expected.encoder.state_size).estimate(expected, generator())
    rewards = estimate.earned.total.view(-1, 4)
    mean = rewards.mean(1, keepdim=True)
    greedy = rollout(expected.encoder, LogitPolicy(expected.policy), expected.batch, deterministic=True)
    baseline = {"rloo": (4 * mean - rewards) / 3, "moving_average": torch.zeros(())}.get(name, mean)
    if name in ("self_critical", "ppo"):
        baseline = expected.reward(greedy.episodes).total[:, None]
    scale: Tensor | float = rewards.std(1, keepdim=True) + 1e-4 if name == "grpo" else 1.0
    advantages = ((rewards - baseline) / scale).flatten().detach()

    episodes, log_probs = estimate.sampled.episodes, torch.zeros(len(rewards) * 4)
    state = expected.encoder.start(expected.batch, 4)
    for actions in episodes.actions.unbind(1):
        logits, legal = expected.policy(expected.encoder.observe(state)), expected.encoder.legal(state)
        both = logits if ternary else torch.stack([torch.zeros_like(logits), logits], 1)
        chosen = both.masked_fill(~legal, -torch.inf).log_softmax(1).gather(1, actions[:, None]).squeeze(1)
        log_probs = log_probs + torch.where(state.reading & (legal.sum(1) > 1), chosen, 0.0)
        state = expected.encoder.advance(state, actions)
    plain = gradient((advantages * log_probs).mean(), expected)
    assert plain.norm() > 1e-3
    torch.testing.assert_close(gradient(estimate.objective, expected), plain, atol=1e-5, rtol=1e-4)


def leave_one_out(rewards: Tensor) -> Tensor:
    """(R,) advantages of (B, S) rewards."""
    others = (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
    return (rewards - others).flatten()


@pytest.mark.parametrize("ratio", ["sequence", "word"])
def test_clipping_cuts_the_gradient_off(ratio: str) -> None:
    """After a step away, the gradient is that of the ratios inside, each times its advantage."""
    expected = make_expected(8)
    steps = LeaveOneOut(clip=0.2, ratio=ratio, updates=2).steps(expected, generator())
    first = next(steps)
    perturb(expected.policy, 0.6 if ratio == "sequence" else 0.4)
    second = next(steps)
    assert list(steps) == []
    now, change = second.sampled.log_probs, (second.sampled.log_probs - first.sampled.log_probs).detach()
    mask = second.sampled.episodes.sentences.mask
    if ratio == "sequence":
        now, change, mask = now.sum(1, keepdim=True), change.sum(1, keepdim=True), mask[:, :1]
    advantages = leave_one_out(first.earned.total.view(-1, 8))[:, None].expand_as(change)
    outside = ((change.exp() > 1.2) & (advantages > 0)) | ((change.exp() < 0.8) & (advantages < 0))
    assert 0 < outside.sum() < mask.sum() / 2
    assert second.metrics["clip_ratio"] == pytest.approx((outside & mask).sum().item() / mask.sum().item())
    assert first.metrics["clip_ratio"] == first.metrics["approx_kl"] == 0 < second.metrics["approx_kl"]
    plain = (torch.where(outside, 0.0, change.exp() * advantages) * now).sum(1).mean()
    torch.testing.assert_close(gradient(second.objective, expected), gradient(plain, expected), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("ratio", ["sequence", "word"])
def test_the_gradient_of_a_later_step_is_that_of_finite_differences(ratio: str) -> None:
    expected = make_expected()
    expected.policy.double()
    steps = LeaveOneOut(clip=0.2, ratio=ratio, updates=1000).steps(expected, generator())
    next(steps)
    perturb(expected.policy, 0.4)
    exact, weights = gradient(next(steps).objective, expected), [*expected.policy.parameters()]
    found = []
    for weight in weights:
        flat = weight.data.view(-1)
        for place in range(0, len(flat), 9):
            values = []
            for change in (1e-6, -2e-6):
                flat[place] += change
                values.append(next(steps).objective.item())
            flat[place] += 1e-6
            found.append((values[0] - values[1]) / 2e-6)
    places = torch.cat([torch.arange(w.numel()) % 9 == 0 for w in weights])
    assert exact[places].abs().max() > 1e-2
    torch.testing.assert_close(torch.tensor(found).double(), exact[places].double(), atol=1e-4, rtol=1e-3)


def test_advantages_are_scaled() -> None:
    rewards = torch.tensor([[1.0, 3.0, 8.0], [2.0, 2.0, 2.0]])
    grpo = GRPO().advantages(rewards)
    torch.testing.assert_close(grpo[0], (rewards[0] - 4) / rewards[0].std(), atol=1e-3, rtol=1e-3)
    assert not grpo[1].any(), "equal rewards teach nothing"
    running, variance = LeaveOneOut(scale="running"), 1.0
    for factor in (1.0, 10.0, 0.01):
        plain = LeaveOneOut().advantages(factor * rewards)
        variance = 0.9 * variance + 0.1 * plain.var(correction=0).item()
        torch.testing.assert_close(running.advantages(factor * rewards), plain / max(1, variance**0.5))
    assert 1 < variance < 100
    small = LeaveOneOut(scale="running").advantages(0.01 * rewards)
    torch.testing.assert_close(small, LeaveOneOut().advantages(0.01 * rewards))  # the divisor is at least 1


def test_more_steps_cost_no_pass_of_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, batch, calls = make_encoder(), make_batch([4, 6, 3]), {"advance": 0, "observe": 0, "start": 0, "finish": 0}

    def counted(name: str, method):  # type: ignore[no-untyped-def]
        def call(*arguments, **more):  # type: ignore[no-untyped-def]
            calls[name] += 1
            return method(*arguments, **more)

        return call

    for name in calls:
        monkeypatch.setattr(encoder, name, counted(name, getattr(encoder, name)))
    seen, norms = [], []
    for updates in (1, 4):
        torch.manual_seed(0)
        parameters = ReinforceParameters(estimator="ppo", updates=updates, samples=2, reader="lstm")
        agent = Reinforce(encoder.state_size, SEGMENTATION, parameters, vocabulary_size=30)
        update = agent.update(encoder, batch, HSLSTMReward(), generator=generator())
        seen.append(dict(calls))
        norms.append(update.metrics["passes"])
    assert {name: 2 * count for name, count in seen[0].items()} == seen[1]
    assert min(seen[0].values()) > 0
    assert norms == [3, 3], "two samples and the greedy actions"


def test_recorded_trajectories_are_the_rollout() -> None:
    """Evaluated again without the encoder, they have the log-probabilities that were drawn with."""
    expected = make_expected(3)
    policy = Reinforce(expected.encoder.state_size, SEGMENTATION)
    expected = replace(expected, policy=policy.pnet)
    with torch.no_grad():
        sampled = rollout(expected.encoder, policy, expected.batch, samples=3, generator=generator(), record=True)
        again = evaluated(sampled, expected)
    torch.testing.assert_close(again.log_probs, sampled.log_probs)
    torch.testing.assert_close(again.entropy, sampled.entropy)
    assert sampled.log_probs.any()
    assert rollout(expected.encoder, policy, expected.batch).trajectories is None


def test_what_is_logged_has_names_that_users_know() -> None:
    encoder, batch = make_encoder(), make_batch([1, 6, 5])
    agent = Reinforce(encoder.state_size, SEGMENTATION, ReinforceParameters(estimator="grpo", updates=3, samples=4))
    metrics = agent.update(encoder, batch, HSLSTMReward(), generator=generator()).metrics
    assert {"reward", "reward_std", "entropy", "clip_ratio", "approx_kl", "frac_reward_zero_std", "passes"} <= set(
        metrics
    )
    assert metrics["frac_reward_zero_std"] == pytest.approx(1 / 3), "a sentence of one word has one outcome"
    assert metrics["passes"] == 4


@pytest.mark.parametrize("name", ["grpo", "ppo"])
def test_huge_changes_stay_finite(name: str) -> None:
    encoder, batch = make_encoder(), make_batch([6, 7])
    parameters = ReinforceParameters(estimator=name, learning_rate=10.0, samples=3, updates=30)
    agent = Reinforce(encoder.state_size, SEGMENTATION, parameters)
    for seed in range(3):
        metrics = agent.update(encoder, batch, HSLSTMReward(), generator=generator(seed)).metrics
    assert all(torch.isfinite(parameter).all() for parameter in agent.pnet.parameters())
    assert torch.isfinite(torch.tensor(list(metrics.values()))).all()


@pytest.mark.parametrize("optimizer", ["adam", "adadelta"])
@pytest.mark.parametrize("name", ["grpo", "ppo"])
def test_a_resumed_agent_learns_alike(name: str, optimizer: str, tmp_path: Path) -> None:
    encoder, batch, reward = make_stressed_encoder(), make_batch([4, 6]), LogLikelihood()
    parameters = ReinforceParameters(
        estimator=name, samples=3, updates=3, optimizer=optimizer, reader="bilstm", reader_size=3
    )

    def trained(agent: Reinforce, seeds: range) -> dict[str, Tensor]:
        for seed in seeds:
            agent.update(encoder, batch, reward, generator=generator(seed))
        return agent.pnet.state_dict()

    agents = []
    for seed in (0, 0, 5):
        torch.manual_seed(seed)
        agents.append(Reinforce(encoder.state_size, STRESSED, parameters, vocabulary_size=30))
    whole = trained(agents[0], range(4))
    trained(agents[1], range(2))
    save_state(tmp_path / "state", "test", agents[1].state_dict())
    agents[2].load_state_dict(load_state(tmp_path / "state", "test"))
    for key, value in trained(agents[2], range(2, 4)).items():
        assert torch.equal(value, whole[key]), key


@pytest.mark.parametrize("name", ["st_gumbel", "st_hard", "local_expectation", "arm", "disarm", "exact"])
def test_estimators_that_compare_no_samples_need_only_one(name: str) -> None:
    encoder, parameters = make_encoder(), ReinforceParameters(estimator=name, samples=1)
    agent = Reinforce(encoder.state_size, SEGMENTATION, parameters)
    update = agent.update(encoder, make_batch([4, 3]), HSLSTMReward(), generator=generator())
    assert len(update.episodes.actions) == 2
    assert update.metrics["gradient_norm"] > 0


def test_settings_replace_those_of_the_preset() -> None:
    assert PPO(updates=4).score == Score("self_critical", scale="running", updates=4, clip=0.2)
    parameters = ReinforceParameters(estimator="rloo", baseline="moving_average", clip=0.1, samples=1)
    estimator = Reinforce(4, SEGMENTATION, parameters).estimator
    assert isinstance(estimator, ScoreFunction)
    assert estimator.score == Score("moving_average", clip=0.1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"estimator": "disarm", "clip": 0.2}, "'disarm' has no setting 'clip'"),
        (
            {"estimator": "grpo", "samples": 1},
            "compares the samples of a sentence, so it needs 2 or more, got 1",
        ),
        ({"estimator": "ppo", "scale": "group", "samples": 1}, "'ppo' compares the samples"),
        ({"estimator": "rebar", "samples": 1}, "'rebar' compares the samples"),
        ({"updates": 0}, "updates"),
        ({"clip": 2.0}, "clip"),
        ({"baseline": "leave_one_outs"}, "baseline must be one of 'leave_one_out', .*, got 'leave_one_outs'"),
        ({"scale": "runing"}, "scale must be one of"),
        ({"optimizer": "sgd"}, "optimizer must be one of 'adam', 'adadelta', got 'sgd'"),
        ({"reader": "gru"}, "reader must be one of"),
    ],
)
def test_unusable_settings_are_errors(values: dict[str, object], message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        ReinforceParameters(**values)  # type: ignore[arg-type]


# A discount ----------------------------------------------------------------------------------------------------------


def make_dense(samples: int, lengths: list[int]) -> ExpectedReward:
    """Lines of characters with rewards at each step, and a policy far from uniform."""
    encoder = make_encoder(ChunkLSTM).requires_grad_(False)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        policy = PNet(encoder.state_size, 4)
        torch.nn.init.normal_(policy.layers[-1].weight, std=1.0)
    return ExpectedReward(encoder, policy, make_batch(lengths), ChunkGain(price=0.2), samples)


@pytest.mark.parametrize("baseline", ["leave_one_out", "group_mean", "batch_mean"])
def test_the_size_of_the_gradient_by_baseline(baseline: BaselineName) -> None:
    """Baselines that leave out the episode itself keep it; the mean of both samples of a sentence halves it."""
    one = make_dense(1, [5])
    exact = gradient(Exact().estimate(one).objective, one)
    rows, samples = (2, 1) if baseline == "batch_mean" else (1, 2)
    along = []
    for seed in range(400):
        expected = replace(one, batch=one.batch.repeat(rows), samples=samples)
        estimate = LeaveOneOut(baseline=baseline, discount=1.0).estimate(expected, generator(seed))
        along.append(float(gradient(estimate.objective, expected) @ exact / exact.square().sum()))
    assert sum(along) / len(along) == pytest.approx(0.5 if baseline == "group_mean" else 1.0, abs=0.15)


@pytest.mark.parametrize("baseline", ["leave_one_out", "group_mean", "batch_mean"])
def test_a_discount_gives_each_step_its_advantage(baseline: BaselineName) -> None:
    """Computed anew from the formula, with loops."""
    expected = make_dense(3, [6, 1, 4])
    estimate = LeaveOneOut(baseline=baseline, discount=0.7).estimate(expected, generator())
    rewards, log_probs = estimate.earned.steps, estimate.sampled.log_probs
    lengths = estimate.sampled.episodes.sentences.lengths.tolist()
    assert rewards is not None
    total = torch.zeros(())
    for row, length in enumerate(lengths):
        group = range(row // 3 * 3, row // 3 * 3 + 3)
        for t in range(length):
            for k in range(t, length):
                others = {
                    "leave_one_out": [other for other in group if other != row],
                    "group_mean": list(group),
                    "batch_mean": [other for other, its in enumerate(lengths) if its > k and other != row],
                }[baseline]
                surplus = rewards[row, k] - (rewards[others, k].mean() if others else 0)
                total = total + 0.7 ** (k - t) * surplus * log_probs[row, t]
    wanted = gradient(total / len(lengths), expected)
    torch.testing.assert_close(gradient(estimate.objective, expected), wanted, rtol=1e-4, atol=1e-6)


def test_without_discounting_it_is_the_gradient_of_the_whole_reward() -> None:
    expected = make_dense(2000, [5])
    exact = gradient(Exact().estimate(replace(expected, samples=1)).objective, expected)
    found = gradient(LeaveOneOut(discount=1.0).estimate(expected, generator()).objective, expected)
    assert (found - exact).norm() < 0.1 * exact.norm()
    whole = gradient(LeaveOneOut().estimate(expected, generator()).objective, expected)
    assert (whole - exact).norm() > (found - exact).norm(), "earlier rewards are noise"


def test_a_discount_of_a_sparse_reward_fades_towards_the_start() -> None:
    expected = make_expected()
    mask = expected.batch.repeat(4).mask
    estimate = LeaveOneOut(discount=0.5).estimate(expected, generator())
    steps = estimate.earned.by_step(mask)
    torch.testing.assert_close(steps.sum(1), estimate.earned.total)
    assert (steps != 0).sum(1).tolist() == [1] * len(mask)
    torch.testing.assert_close(discounted(steps, 0.5)[0, 0], 0.5**4 * estimate.earned.total[0])


def test_a_discount_needs_a_baseline_of_steps() -> None:
    with pytest.raises(HsEnvError, match="A discount gives each step an advantage"):
        ReinforceParameters(estimator="self_critical", discount=0.9)
    with pytest.raises(HsEnvError, match="discount"):
        ReinforceParameters(discount=1.5)
    assert ReinforceParameters(baseline="batch_mean", discount=0.9, samples=1).samples == 1


class Silence(DenseReward):
    """-1 for each chunk."""

    def step_terms(self, steps: Steps) -> dict[str, Tensor]:
        return {"chunks": -steps.closing.float()}


def test_reinforce_learns_from_rewards_of_steps() -> None:
    encoder, batch = make_encoder(ChunkLSTM).requires_grad_(False), make_batch([9, 6, 12, 8])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parameters = ReinforceParameters(samples=4, discount=0.5, learning_rate=0.05, entropy_bonus=0.0)
        agent = Reinforce(encoder.state_size, encoder.problem, parameters)
    earned = [
        agent.update(encoder, batch, Silence(), generator=generator(step)).metrics["reward"] for step in range(15)
    ]
    assert earned[0] < -3.0
    assert earned[-1] > -2.3  # the first and the last character always end a chunk
