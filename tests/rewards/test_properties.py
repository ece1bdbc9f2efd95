"""Every registered reward passes one table of properties."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hs_env.errors import HsEnvError
from hs_env.rewards import REWARDS, Reward, make_reward
from hs_env.types import Episodes
from tests.rewards.builders import make_episodes, one_sentence, rows

LENGTH, GOLD = 10, "0010001001"
RIGHT, WRONG = [math.log(0.8), math.log(0.15), math.log(0.05)], [math.log(0.1), math.log(0.3), math.log(0.6)]
INSIDE_ONLY, END_ONLY = "0000000001", "1111111111"


@dataclass(frozen=True)
class Known:
    """The best and the worst that can be done with a sentence of ten words, and what they earn.

    Verdicts are `RIGHT` for the best and `WRONG` for the worst. The last action is 1 throughout.
    """

    best: str
    worst: str
    greatest: float
    least: float


KNOWN = {
    "accuracy.v1": Known(END_ONLY, END_ONLY, 1, 0),
    "boundary_f1.v1": Known(GOLD, INSIDE_ONLY, 1, 0),
    "boundary_rate.v1": Known("0010001001", END_ONLY, -0.016, -0.684),
    "chunk_gain.v1": Known(INSIDE_ONLY, END_ONLY, -0.02, -0.2),
    "deletion_rate.v1": Known(INSIDE_ONLY, END_ONLY, 0.1 * 0.9, 0),
    "deletions.v1": Known(INSIDE_ONLY, END_ONLY, 0.9, 0),
    "hs_lstm.v1": Known(GOLD, END_ONLY, RIGHT[0] - 0.3 * (0.3 + 0.1 / 0.3), WRONG[0] - 0.3 * 1.1),
    "id_lstm.v1": Known(INSIDE_ONLY, END_ONLY, RIGHT[0] + 0.15 * 0.9, WRONG[0]),
    "log_likelihood.v1": Known(END_ONLY, END_ONLY, RIGHT[0], WRONG[0]),
    "margin.v1": Known(END_ONLY, END_ONLY, math.log(0.8 / 0.15), math.log(0.1 / 0.6)),
    "phrase_length.v1": Known(GOLD, INSIDE_ONLY, -(10 / 3 - 3.16), -(10 - 3.16)),
    "phrases.v1": Known(END_ONLY, INSIDE_ONLY, 1, 0.1),
    "transitions.v1": Known("0101010101", END_ONLY, 0.9, 0),
    "words_read.v1": Known(INSIDE_ONLY, END_ONLY, 1, 0.1),
}
"""A new reward needs an entry here."""

NAMES = list(REWARDS)
every_reward = pytest.mark.parametrize("name", NAMES)
lengths = st.lists(st.integers(1, 12), min_size=1, max_size=6)
seeds = st.integers(0, 1000)


def test_each_reward_has_a_known_best_and_worst():
    assert set(NAMES) == set(KNOWN)


@every_reward
def test_best_and_worst_are_known(name):
    known = KNOWN[name]
    actions = ["".join(inner) + "1" for inner in itertools.product("01", repeat=LENGTH - 1)]
    verdicts = [RIGHT] * len(actions) + [WRONG] * len(actions)
    total = make_reward(name)(one_sentence(actions * 2, verdicts, GOLD)).total
    best, worst = total[actions.index(known.best)], total[len(actions) + actions.index(known.worst)]
    assert best.item() == pytest.approx(total.max().item()) == pytest.approx(known.greatest, abs=1e-6)
    assert worst.item() == pytest.approx(total.min().item()) == pytest.approx(known.least, abs=1e-6)


@every_reward
@settings(max_examples=25, deadline=None)
@given(lengths, seeds)
def test_total_is_the_sum_of_its_terms_every_time(name, lengths, seed):
    reward, episodes = make_reward(name), make_episodes(lengths, seed)
    earned = reward(episodes)
    assert earned.total.shape == (len(lengths),)
    torch.testing.assert_close(sum(earned.terms.values()), earned.total)
    assert torch.equal(reward(episodes).total, earned.total)


@every_reward
@settings(max_examples=25, deadline=None)
@given(lengths, seeds, st.randoms(use_true_random=False))
def test_rows_are_independent(name, lengths, seed, random):
    reward, episodes = make_reward(name), make_episodes(lengths, seed)
    whole = reward(episodes).total
    order = torch.tensor(random.sample(range(len(lengths)), len(lengths)))
    assert torch.equal(reward(rows(episodes, order)).total, whole[order])
    for row in range(len(lengths)):
        assert torch.equal(reward(rows(episodes, torch.tensor([row]))).total, whole[row : row + 1])


@every_reward
@settings(max_examples=25, deadline=None)
@given(lengths, seeds, st.integers(1, 5))
def test_padding_changes_nothing(name, lengths, seed, columns):
    reward, episodes = make_reward(name), make_episodes(lengths, seed)
    sentences, pad = episodes.sentences, torch.zeros(len(lengths), columns, dtype=torch.int64)
    tokens, boundaries, actions = (
        torch.cat([each, pad], 1) for each in (sentences.tokens, sentences.gold_actions, episodes.actions)
    )
    measures = {name: torch.cat([each, pad.float()], 1) for name, each in episodes.measures.items()}
    wide = Episodes(replace(sentences, tokens=tokens, gold_actions=boundaries), actions, episodes.log_probs, measures)
    assert torch.equal(reward(wide).total, reward(episodes).total)
    assert torch.equal(reward(rows(wide, torch.tensor([0]))).total, reward(episodes).total[:1])


@every_reward
@pytest.mark.parametrize("actions", ["1", INSIDE_ONLY, END_ONLY, "1000000000", "0" * 299 + "1", "1" * 300])
@pytest.mark.parametrize("log_probs", [[0, -1e30, -1e38], [-1e38, 0, -1e30], [-104.0, -103.9, 0.0]])
def test_extremes_are_finite(name, actions, log_probs):
    gold = "0" * (len(actions) - 1) + "1"
    assert torch.isfinite(make_reward(name)(one_sentence([actions], [log_probs], gold)).total).all()


@pytest.mark.parametrize(
    "text",
    [
        "0.5 * chunk_gain",
        "chunk_gain + chunk_gain(price=0.5)",
        "log_likelihood + chunk_gain",
        "chunk_gain + log_likelihood",
    ],
)
def test_steps_of_a_dense_expression_add_up_to_its_total(text: str) -> None:
    episodes = make_episodes([3, 1, 7])
    earned = make_reward(text)(episodes)
    assert earned.steps is not None
    assert earned.steps.count_nonzero() > 3
    torch.testing.assert_close(earned.by_step(episodes.sentences.mask).sum(1), earned.total)


def test_the_multiple_of_a_dense_reward_gives_the_multiple_at_each_step() -> None:
    episodes = make_episodes([3, 1, 7])
    half, whole = (make_reward(text)(episodes).steps for text in ("0.5 * chunk_gain", "chunk_gain"))
    assert whole is not None
    torch.testing.assert_close(half, 0.5 * whole)


PARTS = ["actions", "log_probs", "late_loss", "tokens", "lengths", "labels", "indices", "gold_actions"]


@pytest.mark.parametrize("part", PARTS)
def test_a_reward_that_changes_the_episodes_is_refused(part: str) -> None:
    """The policy would learn from the changed ones."""

    class Spoiler(Reward):
        def terms(self, episodes: Episodes) -> dict[str, torch.Tensor]:
            owner = episodes.sentences if hasattr(episodes.sentences, part) else episodes
            tensor = episodes.measures[part] if part in episodes.measures else getattr(owner, part)
            tensor[0] += 1
            return {"spoiled": torch.zeros(len(episodes))}

    with pytest.raises(HsEnvError, match=r"'Spoiler' changes its episodes in place.*episodes\.actions\.clone\(\)"):
        (Spoiler() - 0.5 * Spoiler())(make_episodes([3, 4]))
