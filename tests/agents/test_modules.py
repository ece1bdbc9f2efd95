"""Phrase modules are learned from classes alone, and then compose more deeply than in training."""

from __future__ import annotations

import torch

from hs_env.agents import Reinforce, ReinforceParameters, rollout
from hs_env.models import PhraseModuleNetwork
from hs_env.problems.modules import MODULES, NEGATE
from hs_env.rewards import make_reward
from hs_env.training.classifier_optimizer import ClassifierOptimizer
from hs_env.types import SentenceBatch

GOOD, BAD, NOT = 2, 3, 4
PARAMETERS = ReinforceParameters(samples=4, learning_rate=0.02, entropy_bonus=0.1)


def negated(times: range, rows: int, generator: torch.Generator) -> SentenceBatch:
    """Sentences of `good` or `bad` and a number of `not`, each of which turns the class around."""
    label = torch.randint(0, 2, (rows,), generator=generator)
    count = torch.randint(times.start, times.stop, (rows,), generator=generator)
    tokens = torch.full((rows, times.stop), NOT) * (torch.arange(times.stop) <= count[:, None])
    tokens[:, 0] = torch.where(label == 1, GOOD, BAD)
    return SentenceBatch(tokens, count + 1, (label + count) % 2, torch.arange(rows))


def test_a_policy_learns_to_negate_and_negates_more_often_than_in_training() -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        classifier = ClassifierOptimizer(PhraseModuleNetwork(5, 2, 4, 8, dropout=0.0), tau=0.2, clip_norm=5.0)
        agent = Reinforce(classifier.slow.state_size, MODULES, PARAMETERS)
    reward = make_reward("log_likelihood + 0.3 * phrases")  # short phrases, so that the word level cannot count
    for _ in range(120):
        batch = negated(range(3), 16, generator)
        episodes = agent.update(classifier.slow, batch, reward, generator=generator).episodes
        classifier.update(0.02, episodes.sentences.labels, batch, episodes.actions)
    deep = negated(range(6, 9), 64, generator)
    found = rollout(classifier.slow, agent, deep, deterministic=True).episodes
    assert (found.predictions == deep.labels).float().mean() > 0.95
    assert (found.actions == NEGATE).any(1).all()
