"""REINFORCE against exact enumeration of all segmentations, and its learning on a task with a known optimum."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch.distributions import Bernoulli

from hs_env.agents import (
    AGENTS,
    AgentSetting,
    Reinforce,
    ReinforceParameters,
    Rollout,
    load_agent,
    make_baseline,
    rollout,
)
from hs_env.agents.estimators import Estimate, ExpectedReward, LeaveOneOut
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.models import HSLSTM, IDLSTM
from hs_env.problems.segmentation import SEGMENTATION
from hs_env.rewards import HSLSTMReward, LogLikelihood, Reward
from hs_env.types import Episodes, SentenceBatch
from tests.builders import make_batch, make_encoder


def every_segmentation(length: int) -> torch.Tensor:
    """(2^(L-1), L) actions; the last word always ends a phrase."""
    return torch.tensor([[*free, 1] for free in itertools.product((0, 1), repeat=length - 1)])


def replay(encoder: HSLSTM, agent: Reinforce, batch: SentenceBatch, actions: torch.Tensor) -> Rollout:
    """The rollout that took these actions, with gradients of the P-Net."""
    rows = batch.repeat(len(actions) // len(batch))
    state = encoder.start(rows)
    log_probs, entropy = [], []
    for column in actions.unbind(1):
        logits = agent.pnet(encoder.observe(state).detach())
        free = encoder.legal(state).all(1)
        log_probs.append(torch.where(column == 1, logits.sigmoid(), 1 - logits.sigmoid()).log() * free)
        entropy.append(Bernoulli(logits=logits).entropy() * free)
        state = encoder.advance(state, column)
    with torch.no_grad():
        episodes = Episodes(rows, actions, encoder.finish(state))
    return Rollout(episodes, torch.stack(log_probs, 1), torch.stack(entropy, 1))


def gradient(value: torch.Tensor, agent: Reinforce) -> torch.Tensor:
    return torch.cat(
        [g.flatten() for g in torch.autograd.grad(value, list(agent.pnet.parameters()), retain_graph=True)]
    )


@pytest.mark.parametrize("hidden_size", [0, 4])
@pytest.mark.parametrize("length", [2, 4])
def test_expected_gradient_equals_exact_enumeration(length, hidden_size):
    """Over all pairs of segmentations, the estimator with S = 2 averages to the gradient of the expected reward."""
    encoder, batch = make_encoder(), make_batch([length])
    torch.manual_seed(1)
    parameters = ReinforceParameters(samples=2, entropy_bonus=0.0, hidden_size=hidden_size)
    agent = Reinforce(encoder.state_size, SEGMENTATION, parameters)
    torch.nn.init.normal_(agent.pnet.layers[-1].weight, std=2.0)  # far from the uniform policy

    actions = every_segmentation(length)
    everything = replay(encoder, agent, batch, actions)
    reward = HSLSTMReward(gamma=1.0)
    rewards = reward(everything.episodes).total
    probability = everything.log_probs.sum(1).exp()
    assert probability.sum().item() == pytest.approx(1.0, abs=1e-5)
    exact = -gradient((probability * rewards).sum(), agent)

    expected = torch.zeros_like(exact)
    for one, two in itertools.product(range(len(actions)), repeat=2):
        pair = torch.tensor([one, two])
        sampled = replay(encoder, agent, batch, actions[pair])
        share = (probability[one] * probability[two]).detach()
        earned = rewards[pair]
        objective = (LeaveOneOut().advantages(earned[None])[0] * sampled.log_probs.sum(1)).mean()
        estimate = Estimate(sampled, reward(sampled.episodes), objective, 2)
        expected += share * gradient(agent.loss(estimate), agent)
    assert exact.abs().max() > 1e-3
    torch.testing.assert_close(expected, exact, atol=1e-5, rtol=1e-4)


def test_rollouts_are_sampled_from_the_policy():
    """20,000 sampled segmentations of one sentence have the frequencies that enumeration gives them."""
    encoder, batch = make_encoder(), make_batch([4])
    torch.manual_seed(2)
    agent = Reinforce(encoder.state_size, SEGMENTATION)
    torch.nn.init.normal_(agent.pnet.layers[-1].weight, std=2.0)
    actions = every_segmentation(4)
    with torch.no_grad():
        exact = replay(encoder, agent, batch, actions).log_probs.sum(1).exp()
        sampled = rollout(encoder, agent, batch, samples=20_000, generator=torch.Generator().manual_seed(0))
    code = torch.tensor([8, 4, 2, 1])
    counts = torch.bincount((sampled.episodes.actions * code).sum(1), minlength=16)
    frequency = counts[(actions * code).sum(1)] / 20_000
    assert counts.sum() == counts[(actions * code).sum(1)].sum()
    torch.testing.assert_close(frequency, exact, atol=0.012, rtol=0)


def test_a_rollout_equals_replaying_its_actions():
    encoder, batch = make_encoder(), make_batch([3, 1, 6, 2, 6])
    agent = Reinforce(encoder.state_size, SEGMENTATION)
    sampled = rollout(encoder, agent, batch, samples=3, generator=torch.Generator().manual_seed(0))
    again = replay(encoder, agent, batch, sampled.episodes.actions)
    torch.testing.assert_close(sampled.episodes.log_probs, again.episodes.log_probs, atol=1e-5, rtol=0)
    torch.testing.assert_close(sampled.episodes.log_probs, encoder(batch, sampled.episodes.actions), atol=1e-5, rtol=0)
    mask = sampled.episodes.sentences.mask
    torch.testing.assert_close(sampled.log_probs, again.log_probs * mask, atol=1e-5, rtol=0)
    torch.testing.assert_close(sampled.entropy, again.entropy * mask, atol=1e-5, rtol=0)
    assert torch.equal(sampled.episodes.sentences.indices, batch.indices.repeat_interleave(3))


def test_forced_actions_are_no_choice():
    encoder, batch = make_encoder(), make_batch([1, 4])
    agent = Reinforce(encoder.state_size, SEGMENTATION)
    sampled = rollout(encoder, agent, batch, samples=2, generator=torch.Generator().manual_seed(0))
    last = sampled.episodes.sentences.lengths - 1
    rows = torch.arange(4)
    assert (sampled.episodes.actions[rows, last] == 1).all()
    assert not sampled.log_probs[rows, last].any()
    assert not sampled.entropy[rows, last].any()
    assert sampled.entropy[2:, 0].all()


def test_huge_logits_stay_finite():
    """The authors' code takes the log of an unclipped sigmoid and gives NaN beyond a logit of about 17."""
    encoder, batch = make_encoder(), make_batch([5, 3])
    agent = Reinforce(encoder.state_size, SEGMENTATION)
    torch.nn.init.constant_(agent.pnet.layers[-1].bias, 500.0)
    update = agent.update(encoder, batch, HSLSTMReward(), generator=torch.Generator().manual_seed(0))
    assert all(torch.isfinite(parameter).all() for parameter in agent.pnet.parameters())
    assert torch.isfinite(torch.tensor(list(update.metrics.values()))).all()


class _EvenTokensEnd(Reward):
    """0, its greatest value, when exactly the words with an even id end a phrase."""

    name = "even_tokens_end"

    def terms(self, episodes):
        sentences = episodes.sentences
        last = torch.arange(episodes.actions.shape[1]) == sentences.lengths[:, None] - 1
        wrong = (episodes.actions != 1 - sentences.tokens % 2) & sentences.mask & ~last
        return {"wrong": -wrong.sum(1).float()}


def test_learning_reaches_the_known_optimum():
    torch.manual_seed(0)
    encoder = HSLSTM(30, 3, embedding_size=8, hidden_size=16, dropout=0.0).eval()
    with torch.no_grad():
        encoder.words.weight[:, :4] = 2.0 - 4.0 * (torch.arange(30)[:, None] % 2)  # what matters can be seen
    agent = Reinforce(
        encoder.state_size, SEGMENTATION, ReinforceParameters(samples=5, learning_rate=0.01, hidden_size=32)
    )
    generator = torch.Generator().manual_seed(0)
    for seed in range(150):
        agent.update(encoder, make_batch([6, 7, 5, 8] * 8, seed=seed), _EvenTokensEnd(), generator=generator)
    with torch.no_grad():
        greedy = rollout(encoder, agent, make_batch([6, 7, 5, 8] * 8, seed=999), deterministic=True)
    assert _EvenTokensEnd()(greedy.episodes).total.mean().item() > -0.2  # a random policy earns about -2.75


def make_agent(encoder: HSLSTM, **parameters: Any) -> Reinforce:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Reinforce(encoder.state_size, SEGMENTATION, ReinforceParameters(**parameters))


@pytest.mark.parametrize("clip_norm", [1e-3, 1e3])
def test_an_update_is_a_step_of_adamw_on_the_clipped_gradient(clip_norm):
    """The first step, by hand: both moments are those of one gradient, and matrices alone decay."""
    encoder, batch = make_encoder(), make_batch([5, 3, 6])
    settings = {"clip_norm": clip_norm, "weight_decay": 0.5, "entropy_bonus": 0.3, "learning_rate": 0.01}
    agent, other = (make_agent(encoder, samples=3, **settings) for _ in range(2))
    expected = ExpectedReward(encoder, other.pnet, batch, HSLSTMReward(), 3)
    (estimate,) = other.estimator.steps(expected, torch.Generator().manual_seed(0))
    per_word = estimate.sampled.entropy.sum(1) / estimate.sampled.episodes.sentences.lengths
    weights = list(other.pnet.parameters())
    loss = -estimate.objective - 0.3 * per_word.mean()
    gradients = torch.autograd.grad(loss, weights)
    norm = torch.cat([each.flatten() for each in gradients]).norm()
    update = agent.update(encoder, batch, HSLSTMReward(), generator=torch.Generator().manual_seed(0))
    for weight, gradient, changed in zip(weights, gradients, agent.pnet.parameters(), strict=True):
        clipped = gradient * min(1.0, clip_norm / float(norm))
        decayed = weight * (1 - 0.01 * 0.5) if weight.ndim > 1 else weight
        torch.testing.assert_close(changed, decayed - 0.01 * clipped / (clipped.abs() + 1e-8), rtol=1e-4, atol=1e-6)
    assert update.metrics["gradient_norm"] == pytest.approx(norm.item(), rel=1e-4)
    assert update.metrics["entropy"] == pytest.approx(per_word.mean().item(), rel=1e-5)
    earned = HSLSTMReward()(update.episodes).total
    assert update.metrics["reward"] == pytest.approx(earned.mean().item(), rel=1e-5)
    assert update.metrics["reward_std"] == pytest.approx(earned.std(correction=0).item(), rel=1e-4)


def test_a_gradient_that_is_not_finite_is_named(monkeypatch):
    encoder = make_encoder()
    agent = make_agent(encoder)
    monkeypatch.setattr(agent, "loss", lambda estimate: estimate.objective * float("nan"))
    with pytest.raises(HsEnvError, match="no longer finite: the policy has diverged"):
        agent.update(encoder, make_batch([5, 3]), HSLSTMReward())


def test_the_learning_rate_depends_on_the_optimiser_and_the_problem():
    rates = [ReinforceParameters(optimizer=name).resolve(SEGMENTATION).learning_rate for name in ("adam", "adadelta")]
    assert rates == [SEGMENTATION.defaults.pnet_learning_rate, 0.1]


@pytest.mark.parametrize(
    ("parameters", "shares"),
    [({}, True), ({"estimator": "ppo"}, True), ({"estimator": "disarm"}, False), ({"boundary_rate": 0.2}, False)],
)
def test_only_agents_that_can_learn_in_several_processes_say_so(parameters, shares):
    assert make_agent(make_encoder(), **parameters).shares is shares


def test_saving_and_loading(tmp_path):
    encoder, batch = make_encoder(), make_batch([4, 6, 3])
    agent = Reinforce(encoder.state_size, SEGMENTATION, ReinforceParameters(hidden_size=4))
    agent.save(tmp_path / "agent.safetensors")
    loaded = load_agent(tmp_path / "agent.safetensors")
    with torch.no_grad():
        one = rollout(encoder, agent, batch, deterministic=True)
        two = rollout(encoder, loaded, batch, deterministic=True)
    assert torch.equal(one.episodes.actions, two.episodes.actions)
    assert torch.equal(one.log_probs, two.log_probs)


def test_one_sample_has_no_baseline():
    with pytest.raises(HsEnvError, match="compares the samples of a sentence, so it needs 2 or more, got 1"):
        ReinforceParameters(samples=1)


@pytest.mark.parametrize(("kind", "share"), [(HSLSTM, 0.5), (IDLSTM, 0.88)])
def test_a_policy_begins_near_what_its_classifier_has_read(kind, share):
    """ID-LSTM is warm-started on whole sentences, so that its P-Net begins by retaining nearly all words."""
    encoder, batch = make_encoder(kind), make_batch([30] * 40)
    name, reinforce = kind.problem.defaults.warm_start, AGENTS.get("reinforce")
    warm_start = make_baseline(name, Vocabulary(["a"]), kind.problem)
    setting = AgentSetting(encoder, batch, LogLikelihood(), warm_start, name)
    agent = reinforce.make(setting, reinforce.parameters())
    actions = rollout(encoder, agent, batch, generator=torch.Generator().manual_seed(0)).episodes.actions
    assert actions.float().mean().item() == pytest.approx(share, abs=0.05)
