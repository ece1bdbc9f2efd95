"""Agents on a problem with three actions: estimators, search, learning, files."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical

from hs_env.agents import (
    AGENTS,
    ESTIMATORS,
    Agent,
    AgentKind,
    CategoricalChoice,
    LogitPolicy,
    PNet,
    Reinforce,
    ReinforceParameters,
    SB3Agent,
    SB3Learner,
    SB3Parameters,
    baselines_for,
    beam_search,
    best_actions,
    load_agent,
    make_baseline,
    rollout,
)
from hs_env.agents.estimators import Exact, ExpectedReward, STGumbel, lab
from hs_env.agents.estimators.lab import Measured, measure
from hs_env.agents.estimators.straight import StraightThrough
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.models import check_encoder
from hs_env.rewards import LogLikelihood, Reward, make_reward
from hs_env.storage import save_state
from hs_env.types import Episodes
from tests.builders import make_batch
from tests.ternary import END_STRESSED, STRESSED, make_stressed_encoder

UNBIASED = ["rloo", "moving_average", "self_critical", "local_expectation"]
CLIPPED = ["grpo", "ppo"]
STRAIGHT = ["st_identity", "st_sigmoid", "st_gumbel"]
BINARY = ["arm", "disarm", "rebar", "relax", "st_hard"]


class Stress(Reward):
    """s/L for s words that end a stressed phrase."""

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        return {"stress": episodes.weight(END_STRESSED).sum(1) / episodes.sentences.lengths}


def make_policy(state_size: int) -> PNet:
    """A policy far from uniform whose decisions depend on what was decided before."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        policy = PNet(state_size, num_actions=3, initial_logits=(0.4, 0.0, -0.3))
        torch.nn.init.normal_(policy.layers[-1].weight, std=0.7)
    return policy


def make_expected(reward: Reward | None = None, samples: int = 2) -> tuple[ExpectedReward, PNet]:
    encoder = make_stressed_encoder()
    policy = make_policy(encoder.state_size)
    return ExpectedReward(encoder, policy, make_batch([2, 4]), reward or LogLikelihood(), samples), policy


def sample(name: str, estimates: int = 60, copies: int = 100, reward: Reward | None = None) -> Measured:
    expected, policy = make_expected(reward)
    estimator = ESTIMATORS.get(name)(expected.encoder.state_size)
    return measure(estimator, expected, list(policy.parameters()), estimates, warm_up=4, copies=copies)


def scores(sampled: Measured) -> Tensor:
    """Distances of the mean from the exact gradient in standard errors."""
    return ((sampled.mean - sampled.exact) / sampled.error).abs()


def test_the_encoder_keeps_its_contract() -> None:
    check_encoder(make_stressed_encoder())


def test_every_estimator_is_tested() -> None:
    names = {name.rpartition(".")[0] for name in ESTIMATORS}
    assert names == {*UNBIASED, *CLIPPED, *STRAIGHT, *BINARY, "exact"}
    assert {name for name in names if ESTIMATORS.get(name).binary} == set(BINARY)


def test_enumeration_is_the_mean_over_all_sequences() -> None:
    """Value and gradient, against a sum over the sequences one after the other, in plain steps."""
    expected, policy = make_expected()
    encoder, total = expected.encoder, torch.zeros(())
    for row, length in enumerate(expected.batch.lengths.tolist()):
        sentence, weights = expected.batch.select(torch.tensor([row])).cropped(length), torch.zeros(())
        for sequence in itertools.product(range(3), repeat=length):
            if sequence[-1] == 0:
                continue
            state, log_prob = encoder.start(sentence), torch.zeros(())
            for position, action in enumerate(sequence):
                legal = [1, 2] if position == length - 1 else [0, 1, 2]
                choice = Categorical(logits=policy(encoder.observe(state).detach())[0, legal])
                log_prob = log_prob + choice.log_prob(torch.tensor(legal.index(action)))
                state = encoder.advance(state, torch.tensor([action]))
            likelihood = encoder.finish(state)[0, sentence.labels[0]].detach()
            total, weights = total + log_prob.exp() * likelihood / 2, weights + log_prob.exp().detach()
        assert weights.item() == pytest.approx(1, abs=1e-5)
    estimate = Exact().estimate(expected)
    assert estimate.objective.item() == pytest.approx(total.item(), abs=1e-5)
    naive, exact = (
        torch.cat([part.flatten() for part in torch.autograd.grad(value, list(policy.parameters()))])
        for value in (total, estimate.objective)
    )
    assert exact.norm() > 0.05
    torch.testing.assert_close(exact, naive, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", UNBIASED)
def test_the_mean_of_an_unbiased_estimator_is_the_gradient(name: str) -> None:
    sampled = sample(name)
    assert scores(sampled).max() < 4
    assert sampled.bias < 0.1
    wrong = replace(sampled, estimates=0.7 * sampled.estimates)
    assert scores(wrong).max() > 4, "an estimator that is 30% too small would be seen"
    assert wrong.bias > 0.2


def test_local_expectation_has_less_variance() -> None:
    local, rloo = (sample(name, 200, 2) for name in ("local_expectation", "rloo"))
    assert local.variance < 0.7 * rloo.variance
    assert local.passes > rloo.passes == 2


@pytest.mark.parametrize("name", [*UNBIASED, *CLIPPED, *STRAIGHT, "exact"])
def test_an_estimate_is_made_of_legal_episodes(name: str) -> None:
    expected, policy = make_expected(samples=3)
    estimator = ESTIMATORS.get(name)(expected.encoder.state_size)
    estimate = estimator.estimate(expected, torch.Generator().manual_seed(0))
    episodes = estimate.sampled.episodes
    assert torch.equal(episodes.sentences.indices, expected.batch.indices.repeat_interleave(3))
    assert episodes.actions.dtype == torch.int64
    lengths = episodes.sentences.lengths.tolist()
    taken = [row[:length] for row, length in zip(episodes.actions.tolist(), lengths, strict=True)]
    assert STRESSED.first_fault(taken) is None
    assert not episodes.actions[~episodes.sentences.mask].any()
    with torch.no_grad():
        again = expected.encoder(expected.batch, episodes.actions)
    torch.testing.assert_close(episodes.log_probs, again, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(estimate.earned.total.detach(), expected.reward(episodes).total, atol=1e-5, rtol=1e-4)
    assert (estimate.sampled.log_probs[episodes.sentences.mask] < 0).all(), "two actions are legal even at the end"
    gradients = torch.autograd.grad(estimate.objective, list(policy.parameters()))
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)


def test_straight_through_probabilities_of_a_linear_reward_is_exact() -> None:
    """The decisions are independent of the state, so the estimate has no noise either."""
    expected, policy = make_expected(Stress())
    torch.nn.init.zeros_(policy.layers[-1].weight)
    bias = [policy.layers[-1].bias]
    exact = lab.gradient(Exact(), expected, bias, torch.Generator())[0]
    assert exact.abs().min() > 0.01
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        estimate = lab.gradient(ESTIMATORS.get("st_sigmoid")(0), expected, bias, generator)[0]
        torch.testing.assert_close(estimate, exact, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["st_gumbel", "st_sigmoid"])
def test_straight_through_points_uphill(name: str) -> None:
    assert sample(name, reward=Stress()).cosine > 0.9


@pytest.mark.parametrize("name", STRAIGHT)
def test_straight_through_draws_from_the_policy(name: str) -> None:
    rows = 40_000
    legal = torch.tensor([[True, True, True], [True, False, True], [False, True, False]])
    logits = torch.tensor([[0.5, -1.0, 0.2], [1.0, 7.0, 0.3], [0.0, 0.0, 9.0]])
    estimator = ESTIMATORS.get(name)(0)
    assert isinstance(estimator, StraightThrough)
    for row in range(3):
        choice = CategoricalChoice(logits[row].expand(rows, 3), legal[row].expand(rows, 3))
        actions, smooth = estimator.decide(choice, torch.rand(rows, 3, generator=torch.Generator().manual_seed(row)))
        expected = choice.log_probs[0].exp()
        error = (expected * (1 - expected) / rows).sqrt()
        assert ((torch.bincount(actions, minlength=3) / rows - expected).abs() <= 4 * error).all()
        assert smooth.shape == (rows, 3)
        if isinstance(estimator, STGumbel):
            torch.testing.assert_close(smooth.sum(1), torch.ones(rows))
            assert torch.equal(smooth.argmax(1), actions)


@pytest.mark.parametrize("name", BINARY)
def test_an_estimator_for_two_actions_is_refused(name: str) -> None:
    message = f"The estimator '{name}' supports only decisions between two actions, and stressed phrases has 3"
    with pytest.raises(HsEnvError, match=message):
        Reinforce(11, STRESSED, ReinforceParameters(estimator=name))


@pytest.mark.parametrize("name", [*UNBIASED, *CLIPPED, *STRAIGHT, "exact"])
def test_every_estimator_learns(name: str) -> None:
    encoder, batch = make_stressed_encoder(), make_batch([4, 6, 5, 6])
    torch.manual_seed(0)
    parameters = ReinforceParameters(estimator=name, samples=4, learning_rate=0.05, hidden_size=4)
    agent = Reinforce(encoder.state_size, STRESSED, parameters)
    before = rollout(encoder, agent, batch, samples=50, generator=torch.Generator().manual_seed(0)).episodes
    for seed in range(40):
        update = agent.update(encoder, batch, 2 * Stress(), generator=torch.Generator().manual_seed(seed))
    assert Stress()(before).total.mean().item() < 0.4
    assert Stress()(update.episodes).total.mean().item() > 0.9


def test_reinforce_learns_to_help_the_classifier() -> None:
    """From a random policy it goes more than half of the way to the best decisions that there are."""
    encoder, batch, reward = make_stressed_encoder(), make_batch([3, 4, 5, 6, 4, 5, 6, 3]), LogLikelihood()
    torch.manual_seed(0)
    parameters = ReinforceParameters(samples=8, learning_rate=0.03, hidden_size=32)
    agent = Reinforce(encoder.state_size, STRESSED, parameters)

    def earned() -> float:
        with torch.no_grad():
            sampled = rollout(encoder, agent, batch, samples=100, generator=torch.Generator().manual_seed(9))
        return reward(sampled.episodes).total.mean().item()

    before, best = earned(), best_actions(encoder, batch, reward)[1].mean().item()
    for seed in range(150):
        agent.update(encoder, batch, reward, generator=torch.Generator().manual_seed(seed))
    after = earned()
    assert before + 0.1 < best
    assert before + 0.5 * (best - before) < after < best + 1e-6


def test_a_policy_begins_near_the_initial_logits() -> None:
    encoder, batch = make_stressed_encoder(), make_batch([30] * 100)
    agent = Reinforce(encoder.state_size, STRESSED)
    actions = rollout(encoder, agent, batch, generator=torch.Generator().manual_seed(0)).episodes.actions[:, :-1]
    share = torch.bincount(actions.flatten(), minlength=3) / actions.numel()
    torch.testing.assert_close(share, torch.tensor([0.5, 0.0, 0.0]).softmax(0), atol=0.05, rtol=0)


def test_a_wide_beam_finds_the_best_actions() -> None:
    encoder, batch = make_stressed_encoder(), make_batch([4, 1, 6, 5, 2])
    actions, greatest = best_actions(encoder, batch, make_reward("log_likelihood"))
    found, value = beam_search(encoder, batch, 3**6)
    torch.testing.assert_close(value, greatest)
    assert torch.equal(found, actions)


@pytest.mark.parametrize("width", [1, 4])
def test_a_narrow_beam_finds_legal_actions_worth_what_it_says(width: int) -> None:
    encoder, batch = make_stressed_encoder(), make_batch([7, 1, 2, 9, 3])
    actions, value = beam_search(encoder, batch, width)
    rows = zip(actions.tolist(), batch.lengths.tolist(), strict=True)
    assert STRESSED.first_fault([row[:length] for row, length in rows]) is None
    assert not actions[~batch.mask].any()
    with torch.no_grad():
        torch.testing.assert_close(Episodes(batch, actions, encoder(batch, actions)).log_likelihood, value)
    assert (value <= beam_search(encoder, batch, 3**9)[1] + 1e-6).all()


def test_random_draws_every_action_as_often() -> None:
    assert baselines_for(STRESSED) == ["random.v1"]
    agent = make_baseline("random", Vocabulary(["a"]), STRESSED)
    actions = rollout(make_stressed_encoder(), agent, make_batch([9] * 500)).episodes.actions
    share = torch.bincount(actions[:, :-1].flatten(), minlength=3) / 4000
    torch.testing.assert_close(share, torch.full((3,), 1 / 3), atol=0.04, rtol=0)
    assert (actions[:, -1] > 0).all()


def test_saving_and_loading(tmp_path: Path) -> None:
    encoder, batch = make_stressed_encoder(), make_batch([4, 6, 3])
    agent = Reinforce(encoder.state_size, STRESSED, ReinforceParameters(samples=2, hidden_size=5))
    agent.update(encoder, batch, LogLikelihood(), generator=torch.Generator().manual_seed(0))
    agent.save(tmp_path / "agent.safetensors")
    loaded = load_agent(tmp_path / "agent.safetensors")
    assert isinstance(loaded, LogitPolicy)
    one, two = (
        rollout(encoder, each, batch, samples=3, generator=torch.Generator().manual_seed(1)) for each in (agent, loaded)
    )
    assert torch.equal(one.episodes.actions, two.episodes.actions)
    assert torch.equal(one.log_probs, two.log_probs)


@pytest.mark.parametrize("name", ["maskable_ppo", "dqn"])
def test_stable_baselines_has_three_actions(name: str, tmp_path: Path) -> None:
    encoder, batch = make_stressed_encoder().requires_grad_(False), make_batch([5, 1, 8, 3])
    small = {"dqn": {"buffer_size": 512, "batch_size": 16}, "maskable_ppo": {"n_steps": 16, "batch_size": 32}}
    parameters = SB3Parameters(slots=4, steps=32, samples=20, arguments=small[name])
    learner = SB3Learner(name, encoder, batch, Stress(), parameters)
    update = learner.update(encoder, batch, Stress(), generator=torch.Generator().manual_seed(0))
    assert set(update.episodes.actions[update.episodes.sentences.mask].tolist()) == {0, 1, 2}
    learner.save(tmp_path / "agent.safetensors")
    loaded = load_agent(tmp_path / "agent.safetensors")
    assert isinstance(loaded, SB3Agent)
    one, two = (rollout(encoder, each, batch, deterministic=True).episodes.actions for each in (learner, loaded))
    assert torch.equal(one, two)


def test_an_agent_of_somebody_else_may_compute_and_save_what_it_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first try loads without memory, where nothing can be computed; limits of networks are not for other data."""

    def load(state: dict[str, Any]) -> Agent:
        assert torch.zeros(3).sum().item() == 0
        return make_baseline("random", Vocabulary(state["vocabulary"]), STRESSED)

    kind = AgentKind(parameters=ReinforceParameters, make=None, load=load, title=lambda parameters: "own")  # type: ignore[arg-type]
    monkeypatch.setitem(AGENTS._entries, "own.v1", kind)
    state = {"agent": "own.v1", "vocabulary": [f"w{number}" for number in range(1500)], "steps": 20_000_000}
    save_state(tmp_path / "agent.safetensors", "agent", state)
    assert len(load_agent(tmp_path).vocabulary.words) > 1500
