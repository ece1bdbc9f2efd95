"""What a policy and a classifier do on a split."""

from __future__ import annotations

import torch

from hs_env.agents import Reinforce, make_baseline, rollout
from hs_env.corpora import Vocabulary
from hs_env.corpora.encoded import EncodedSplit
from hs_env.metrics.scores import sampled_predictions
from tests.builders import make_batch, make_encoder


def test_drawn_readings_converge_to_the_mean_over_all_segmentations():
    encoder, split = make_encoder(), EncodedSplit.from_batch(make_batch([3, 2]))
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter *= 10  # so that the segmentations differ in their predictions
    torch.manual_seed(0)
    agent = Reinforce(encoder.state_size, encoder.problem)
    drawn = {}
    for batch, log_probs in sampled_predictions(encoder, agent, split, 4000):
        drawn.update(zip(batch.indices.tolist(), log_probs.exp(), strict=True))
    for index in (0, 1):
        batch = split.batch(torch.tensor([index]))
        free = batch.tokens.shape[1] - 1
        every = torch.tensor([[number >> at & 1 for at in range(free)] + [1] for number in range(2**free)])
        with torch.no_grad():
            state = encoder.start(batch, len(every))
            weight = torch.zeros(len(every))
            for column in every.unbind(1):
                probability = agent.pnet(encoder.observe(state)).sigmoid()
                chance = torch.where(column == 1, probability, 1 - probability)
                weight += torch.where(state.at_last_word, torch.zeros(()), chance.log())
                state = encoder.advance(state, column)
            exact = (weight.exp()[:, None] * encoder.finish(state).exp()).sum(0)
        assert encoder.finish(state).exp().std(0).max() > 0.1
        torch.testing.assert_close(weight.exp().sum(), torch.tensor(1.0))
        torch.testing.assert_close(drawn[index], exact, atol=0.02, rtol=0)


def test_a_policy_that_draws_nothing_gives_what_it_gives_once():
    encoder, split = make_encoder(), EncodedSplit.from_batch(make_batch([5, 3, 8]))
    agent = make_baseline("all_end", Vocabulary(["word"]), encoder.problem)
    for batch, log_probs in sampled_predictions(encoder, agent, split, 3):
        once = rollout(encoder, agent, batch, deterministic=True).episodes.log_probs
        torch.testing.assert_close(log_probs, once)
