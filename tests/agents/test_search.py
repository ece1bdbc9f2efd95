"""Exhaustive search, for both tasks."""

from __future__ import annotations

import itertools

import pytest
import torch

from hs_env.agents import best_segmentation, every_segmentation
from hs_env.models import HSLSTM, IDLSTM
from hs_env.rewards import make_reward
from hs_env.types import DISTILLATION, SEGMENTATION, Episodes, HsEnvError
from tests.builders import make_batch, make_encoder


@pytest.mark.parametrize("length", [1, 2, 5])
def test_all_that_is_legal_is_tried_once(length):
    everything = set(itertools.product((0, 1), repeat=length))
    segmentations = every_segmentation(length, SEGMENTATION).tolist()
    assert sorted(map(tuple, segmentations)) == sorted(each for each in everything if each[-1] == 1)
    choices = every_segmentation(length, DISTILLATION).tolist()
    assert sorted(map(tuple, choices)) == sorted(everything - {(0,) * length})


@pytest.mark.parametrize(("kind", "name"), [(HSLSTM, "hs_lstm"), (IDLSTM, "id_lstm")])
def test_nothing_is_better_than_the_best(kind, name):
    encoder, batch, reward = make_encoder(kind), make_batch([4, 1, 6]), make_reward(name)
    actions, greatest = best_segmentation(encoder, batch, reward)
    with torch.no_grad():
        earned = reward(Episodes(batch, actions, encoder(batch, actions))).total
        torch.testing.assert_close(earned, greatest)
        for seed in range(30):
            wanted = torch.randint(0, 2, actions.shape, generator=torch.Generator().manual_seed(seed))
            other = kind.task.complete(wanted, batch.lengths)
            assert (reward(Episodes(batch, other, encoder(batch, other))).total <= greatest + 1e-6).all()


def test_a_long_sentence_is_refused():
    with pytest.raises(HsEnvError, match="17 words takes too long; 16 words are the most"):
        best_segmentation(make_encoder(), make_batch([17]), make_reward("hs_lstm"))
