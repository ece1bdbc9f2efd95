"""The skim LSTM: skipped words are no input of the LSTM or of the policy, and cost nothing."""

from __future__ import annotations

import pytest
import torch

from hs_env.agents import LogitPolicy, PNet, make_baseline, rollout, skim
from hs_env.corpora import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.models import PlainLSTM, SkimLSTM
from hs_env.problems.skimming import NEXT, SKIMMING, SKIP, STOP, words_read
from tests.builders import make_batch, make_encoder, random_actions

ACTIONS = torch.tensor([[NEXT, SKIP, NEXT, NEXT, NEXT, NEXT, STOP, NEXT, NEXT]])  # skips words 2 to 4 and 7 to 8
READ = [0, 1, 5, 6]


def make_policy() -> LogitPolicy:
    """A P-Net with large random weights, so that it takes all actions."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        policy = PNet(17, num_actions=3)
        for weight in policy.parameters():
            torch.nn.init.normal_(weight)
    return LogitPolicy(policy)


def test_the_policy_sees_the_words_read_and_nothing_of_skipped_ones() -> None:
    encoder, batch = make_encoder(SkimLSTM), make_batch([9])
    vectors, state = encoder.words.weight[batch.tokens[0]], encoder.start(batch)
    c = h = torch.zeros(1, encoder.hidden_size)
    for t in range(9):
        seen = vectors[t] if t in READ else torch.zeros(5)
        if t in READ:
            c, h = encoder.word_level.step(encoder.word_level.project(vectors[t : t + 1]), c, h)
        torch.testing.assert_close(encoder.observe(state)[0], torch.cat([c[0], h[0], seen]))
        state = encoder.advance(state, ACTIONS[:, t])
    torch.testing.assert_close(encoder.observe(state)[0], torch.cat([c[0], h[0], torch.zeros(5)]))


def test_other_words_in_place_of_skipped_ones_change_nothing() -> None:
    """Neither observations nor class probabilities, on both routes, exactly."""
    encoder, batch, other = make_encoder(SkimLSTM), make_batch([9]), make_batch([9])
    skipped = ~words_read(ACTIONS, batch.lengths)
    other.tokens[skipped] = (other.tokens[skipped] + 3) % 28 + 2
    assert not torch.equal(batch.tokens, other.tokens)
    one, two = encoder.start(batch), encoder.start(other)
    for column in ACTIONS.unbind(1):
        assert torch.equal(encoder.observe(one), encoder.observe(two))
        one, two = encoder.advance(one, column), encoder.advance(two, column)
    assert torch.equal(encoder.finish(one), encoder.finish(two))
    assert torch.equal(encoder(batch, ACTIONS), encoder(other, ACTIONS))


def test_skipped_words_have_no_gradient() -> None:
    encoder, batch = make_encoder(SkimLSTM), make_batch([9])
    batch.tokens[0] = torch.arange(5, 14)
    encoder(batch, ACTIONS)[0, 0].backward()
    assert encoder.words.weight.grad is not None
    touched = encoder.words.weight.grad.abs().sum(1).nonzero().squeeze(1)
    assert touched.tolist() == [5 + at for at in READ]


def test_known_actions_compute_the_words_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, batch = make_encoder(SkimLSTM), make_batch([9, 4, 1, 12])
    actions = SKIMMING.legalised(random_actions(8, 12, k=3), batch.lengths.repeat_interleave(2))
    computed, last = [], encoder.word_level.last

    def counted(projected: torch.Tensor, index: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        computed.append(len(index))
        return last(projected, index, lengths)

    monkeypatch.setattr(encoder.word_level, "last", counted)
    encoder(batch, actions)
    read = words_read(actions, batch.lengths.repeat_interleave(2))
    sentence = torch.arange(4).repeat_interleave(2)
    assert computed == [int(torch.cat([sentence[:, None], read], 1).unique(dim=0)[:, 1:].sum())]


def test_reading_all_words_equals_a_plain_lstm() -> None:
    encoder, batch = make_encoder(SkimLSTM), make_batch([4, 1, 7])
    plain = PlainLSTM(**encoder.config()).eval()
    plain.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(encoder(batch, torch.zeros_like(batch.tokens)), plain(batch), atol=1e-6, rtol=0)


def test_jumps_make_the_episodes_of_a_rollout() -> None:
    encoder, batch, policy = make_encoder(SkimLSTM), make_batch([9, 1, 12, 3, 40, 5, 40]), make_policy()
    expected = rollout(encoder, policy, batch, deterministic=True).episodes
    found = skim(encoder, policy, batch)
    assert torch.equal(found.actions, expected.actions)
    assert {NEXT, STOP, SKIP} == set(found.actions.flatten().tolist())
    torch.testing.assert_close(found.log_probs, expected.log_probs, atol=1e-5, rtol=0)


def test_an_agent_with_a_reader_cannot_jump() -> None:
    agent = make_baseline("read_all", Vocabulary(["a"]), SKIMMING)
    with pytest.raises(HsEnvError, match="ReadAll has a memory of 3 numbers"):
        skim(make_encoder(SkimLSTM), agent, make_batch([3, 2]))


def test_forced_actions_have_no_log_probability() -> None:
    """So skipped words are no part of a policy gradient."""
    encoder, batch = make_encoder(SkimLSTM), make_batch([9, 12, 3])
    done = rollout(encoder, make_policy(), batch, samples=20, generator=torch.Generator().manual_seed(0))
    episodes = done.episodes
    read = words_read(episodes.actions, episodes.sentences.lengths)
    assert (done.log_probs[~read] == 0).all()
    assert (done.entropy[~read] == 0).all()
    before_last = read.clone().scatter_(1, episodes.sentences.lengths[:, None] - 1, False)
    assert (done.log_probs[before_last] < 0).all()
    assert {NEXT, STOP, SKIP} == set(episodes.actions.flatten().tolist())
