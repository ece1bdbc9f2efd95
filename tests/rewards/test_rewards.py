"""Every registered reward passes one table of properties."""

from __future__ import annotations

import math

import pytest
import torch

from hs_env.rewards import REWARDS, Accuracy, HSLSTMReward, LogLikelihood, Reward, make_reward
from hs_env.types import Episodes, HsEnvError, SentenceBatch
from tests.builders import make_batch, random_actions


def make_episodes(lengths: list[int], seed: int = 0) -> Episodes:
    batch = make_batch(lengths, seed=seed)
    actions = random_actions(len(batch), max(lengths), seed) * batch.mask
    actions = actions.scatter(1, batch.lengths[:, None] - 1, 1)
    generator = torch.Generator().manual_seed(seed)
    return Episodes(batch, actions, torch.log_softmax(torch.randn(len(batch), 3, generator=generator), 1))


def rows(episodes: Episodes, chosen: torch.Tensor) -> Episodes:
    return Episodes(episodes.sentences.select(chosen), episodes.actions[chosen], episodes.log_probs[chosen])


LENGTHS = [7, 1, 4, 9, 2]


@pytest.mark.parametrize("name", list(REWARDS))
class TestEveryReward:
    def test_total_is_the_sum_of_its_terms(self, name):
        earned = make_reward(name)(make_episodes(LENGTHS))
        assert earned.total.shape == (5,)
        assert torch.isfinite(earned.total).all()
        torch.testing.assert_close(sum(earned.terms.values()), earned.total)

    def test_rows_are_independent(self, name):
        episodes, reward = make_episodes(LENGTHS), make_reward(name)
        whole = reward(episodes).total
        order = torch.tensor([3, 0, 4, 1, 2])
        torch.testing.assert_close(reward(rows(episodes, order)).total, whole[order])
        for row in range(5):
            torch.testing.assert_close(reward(rows(episodes, torch.tensor([row]))).total, whole[row : row + 1])

    def test_padding_changes_nothing(self, name):
        episodes, reward = make_episodes(LENGTHS), make_reward(name)
        s = episodes.sentences
        pad = torch.zeros(5, 3, dtype=torch.int64)
        wide = SentenceBatch(
            torch.cat([s.tokens, pad], 1), s.lengths, s.labels, s.indices, torch.cat([s.boundaries, pad], 1)
        )
        padded = Episodes(wide, torch.cat([episodes.actions, pad], 1), episodes.log_probs)
        torch.testing.assert_close(reward(padded).total, reward(episodes).total)

    def test_a_better_verdict_earns_more(self, name):
        episodes = make_episodes(LENGTHS)
        labels = episodes.sentences.labels
        sure = torch.full((5, 3), 0.001).scatter(1, labels[:, None], 0.998).log()
        wrong = torch.full((5, 3), 0.001).scatter(1, ((labels + 1) % 3)[:, None], 0.998).log()
        reward = make_reward(name)
        best = reward(Episodes(episodes.sentences, episodes.actions, sure)).total
        worst = reward(Episodes(episodes.sentences, episodes.actions, wrong)).total
        assert (best > worst).all()


def test_hs_lstm_reward_is_the_papers():
    batch = make_batch([10])
    actions = torch.tensor([[0, 0, 1, 0, 0, 1, 0, 0, 0, 1]])
    log_probs = torch.tensor([[0.2, 0.3, 0.5]]).log()
    earned = HSLSTMReward()(Episodes(batch, actions, log_probs))
    gold = log_probs[0, batch.labels[0]].item()
    assert earned.terms["structure"].item() == pytest.approx(-0.3 * (3 / 10 + 0.1 * 10 / 3))  # gamma = 0.1 C
    assert earned.total.item() == pytest.approx(gold - 0.3 * (3 / 10 + 0.1 * 10 / 3))


def test_structure_is_best_at_0_316_of_the_length():
    length = 1000
    batch = make_batch([length])
    log_probs = torch.zeros(1, 3)
    structure = []
    for n in range(1, length + 1):
        actions = torch.zeros(1, length, dtype=torch.int64)
        actions[0, length - n :] = 1
        structure.append(HSLSTMReward(1.0)(Episodes(batch, actions, log_probs)).terms["structure"].item())
    assert structure.index(max(structure)) + 1 == round(length * math.sqrt(0.1))


def test_sums_and_multiples():
    episodes = make_episodes(LENGTHS)
    both = LogLikelihood() + 0.5 * Accuracy()
    earned = both(episodes)
    expected = LogLikelihood()(episodes).total + 0.5 * Accuracy()(episodes).total
    torch.testing.assert_close(earned.total, expected)
    assert set(earned.terms) == {"log_likelihood", "accuracy"}
    assert both.name == "log_likelihood.v1 + 0.5 * accuracy.v1"
    twice = (LogLikelihood() + LogLikelihood())(episodes)
    torch.testing.assert_close(twice.total, 2 * LogLikelihood()(episodes).total)


class _Broken(Reward):
    name = "broken.v1"

    def __init__(self, value):
        self.value = value

    def terms(self, episodes):
        return self.value(episodes)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda e: {"odd": torch.full((5,), math.nan)}, r"'odd' of the reward 'broken.v1' is nan for sentence 0"),
        (lambda e: {"odd": torch.zeros(4)}, r"shape \(5,\).*got \(4,\)"),
        (lambda e: {"odd": 1.0}, r"got float"),
        (lambda e: {"one": torch.full((5,), 3e38), "two": torch.full((5,), 3e38)}, r"'total' of the reward"),
        (lambda e: {}, r"returned no term"),
    ],
)
def test_a_broken_reward_is_named(value, message):
    with pytest.raises(HsEnvError, match=message):
        _Broken(value)(make_episodes(LENGTHS))


def test_names():
    assert make_reward("hs_lstm", gamma=0.4) == HSLSTMReward(0.4)
    with pytest.raises(HsEnvError, match=r"Did you mean 'hs_lstm\.v1'"):
        make_reward("hs_lstn")
    with pytest.raises(HsEnvError, match="does not take these parameters"):
        make_reward("hs_lstm", gama=1)


def test_a_reward_is_called_by_its_class_unless_it_says_otherwise():
    class Unnamed(Reward):
        def terms(self, episodes):
            return {"one": torch.ones(len(episodes))}

    assert (Unnamed() + LogLikelihood()).name == "Unnamed + log_likelihood.v1"
    assert Unnamed()(make_episodes(LENGTHS)).total.tolist() == [1.0] * 5
