"""Exhaustive search and beams, for all problems."""

from __future__ import annotations

import itertools

import pytest
import torch

from hs_env.agents import beam_search, best_actions, make_baseline, rollout
from hs_env.corpora.vocabulary import Vocabulary
from hs_env.errors import HsEnvError
from hs_env.models import HSLSTM, IDLSTM, SkimLSTM, TreeLSTM
from hs_env.problems.distillation import DISTILLATION
from hs_env.problems.segmentation import SEGMENTATION
from hs_env.rewards import make_reward
from hs_env.types import Episodes
from tests.builders import make_batch, make_encoder


@pytest.mark.parametrize("length", [1, 2, 5])
def test_all_that_is_legal_is_tried_once(length):
    everything = set(itertools.product((0, 1), repeat=length))
    segmentations = SEGMENTATION.sequences(length).tolist()
    assert sorted(map(tuple, segmentations)) == sorted(each for each in everything if each[-1] == 1)
    choices = DISTILLATION.sequences(length).tolist()
    assert sorted(map(tuple, choices)) == sorted(everything - {(0,) * length})


@pytest.mark.parametrize(("kind", "name"), [(HSLSTM, "hs_lstm"), (IDLSTM, "id_lstm"), (TreeLSTM, "log_likelihood")])
def test_nothing_is_better_than_the_best(kind, name):
    encoder, batch, reward = make_encoder(kind), make_batch([4, 1, 6]), make_reward(name)
    actions, greatest = best_actions(encoder, batch, reward)
    with torch.no_grad():
        earned = reward(Episodes(batch, actions, encoder(batch, actions))).total
        torch.testing.assert_close(earned, greatest)
        drawn = rollout(encoder, make_baseline("random", Vocabulary(["a"]), kind.problem), batch, samples=30).episodes
        assert (reward(drawn).total <= greatest.repeat_interleave(30) + 1e-6).all()


def test_a_long_sentence_is_refused():
    """As many sequences as `LONGEST_ENUMERATION` are tried, and no more."""
    assert len(SEGMENTATION.sequences(17)) == 2**16
    assert len(DISTILLATION.sequences(16)) == 2**16 - 1
    for kind, length in ((HSLSTM, 18), (IDLSTM, 17)):
        with pytest.raises(HsEnvError, match=f"{length} words has more than 65,536 legal sequences.* shorter"):
            best_actions(make_encoder(kind), make_batch([length]), make_reward("log_likelihood"))


@pytest.mark.parametrize("kind", [HSLSTM, IDLSTM, SkimLSTM, TreeLSTM])
def test_a_wide_beam_tries_everything(kind):
    encoder, batch = make_encoder(kind), make_batch([4, 1, 6, 9, 2])
    _, greatest = best_actions(encoder, batch, make_reward("log_likelihood"))
    torch.testing.assert_close(beam_search(encoder, batch, 2**9)[1], greatest)
    short = torch.tensor([0, 1, 4])
    width = 2**3 if kind is HSLSTM else 2**4
    torch.testing.assert_close(beam_search(encoder, batch, width)[1][short], greatest[short])


@pytest.mark.parametrize("kind", [HSLSTM, IDLSTM, SkimLSTM, TreeLSTM])
@pytest.mark.parametrize("width", [1, 3, 2**7])
def test_what_a_beam_finds_is_legal_and_worth_what_it_says(kind, width):
    encoder, batch = make_encoder(kind, seed=3), make_batch([7, 1, 2, 12, 12, 3])
    actions, found = beam_search(encoder, batch, width)
    assert not actions[~batch.mask].any()
    assert torch.equal(kind.problem.legalised(actions, batch.lengths), actions)
    with torch.no_grad():
        torch.testing.assert_close(Episodes(batch, actions, encoder(batch, actions)).log_likelihood, found)
    alone = [beam_search(encoder, batch.select(torch.tensor([row])), width)[1] for row in range(len(batch))]
    torch.testing.assert_close(torch.cat(alone), found)


def test_a_beam_has_a_width():
    with pytest.raises(HsEnvError, match="got a width of 0"):
        beam_search(make_encoder(), make_batch([3]), 0)
