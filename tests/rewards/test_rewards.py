"""What single rewards earn, how they combine, and what happens when one is broken."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from hs_env.errors import HsEnvError
from hs_env.rewards import (
    Accuracy,
    BoundaryF1,
    HSLSTMReward,
    IDLSTMReward,
    LogLikelihood,
    Margin,
    Reward,
    Transitions,
    make_reward,
)
from hs_env.types import Episodes
from tests.builders import make_batch
from tests.rewards.builders import make_episodes, one_sentence

LENGTHS = [7, 1, 4, 9, 2]
VERDICT = [math.log(0.5), math.log(0.3), math.log(0.2)]


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


def test_id_lstm_reward_is_the_papers():
    earned = IDLSTMReward(0.2)(one_sentence(["0010100"], [VERDICT]))  # the last word may be deleted
    assert earned.terms["deletion"].item() == pytest.approx(0.2 * 5 / 7)
    assert earned.total.item() == pytest.approx(VERDICT[0] + 0.2 * 5 / 7)


def test_margin_is_of_the_best_other_class():
    episodes = one_sentence(["1", "1"], [VERDICT, [math.log(0.3), math.log(0.2), math.log(0.5)]])
    assert Margin()(episodes).total.tolist() == pytest.approx([math.log(0.5 / 0.3), math.log(0.3 / 0.5)])


@pytest.mark.parametrize(
    ("actions", "gold", "f1"),
    [
        ("01011", "01011", 1),
        ("00001", "00001", 1),  # no inner boundary in either
        ("1", "1", 1),
        ("00001", "01001", 0),
        ("01001", "00001", 0),
        ("10001", "01001", 0),
        ("11001", "10001", 2 / 3),
        ("11111", "01001", 2 / 5),
        ("01000", "01001", 1),  # the last word counts in neither
    ],
)
def test_boundary_f1(actions, gold, f1):
    assert BoundaryF1()(one_sentence([actions], [VERDICT], gold)).total.item() == pytest.approx(f1)


def test_boundary_f1_needs_gold_phrases():
    with pytest.raises(HsEnvError, match=r"'boundary_f1\.v1' needs gold phrases.*Choose a corpus"):
        (LogLikelihood() + BoundaryF1())(one_sentence(["01"], [VERDICT]))


@pytest.mark.parametrize(
    ("actions", "changes"), [("1", 0), ("0", 0), ("01", 1), ("0001", 1), ("1100", 1), ("01011", 3)]
)
def test_transitions(actions, changes):
    assert Transitions()(one_sentence([actions], [VERDICT])).total.item() == pytest.approx(changes / len(actions))


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
    torch.testing.assert_close(
        (LogLikelihood() - Accuracy())(episodes).total, expected - 1.5 * Accuracy()(episodes).total
    )
    torch.testing.assert_close((-both)(episodes).total, -expected)


def test_names_of_combinations():
    a, b = LogLikelihood(), Accuracy()
    assert (a - b).name == "log_likelihood.v1 - accuracy.v1"
    assert (a - 0.1 * (b + a)).name == "log_likelihood.v1 - 0.1 * (accuracy.v1 + log_likelihood.v1)"
    assert (-a + b).name == "-log_likelihood.v1 + accuracy.v1"
    assert (-(a + b)).name == "-(log_likelihood.v1 + accuracy.v1)"


@pytest.mark.parametrize("combination", ["a * a", "a + 1", "1 - a", "a / 2", "'2' * a"])
def test_other_combinations_are_type_errors(combination):
    with pytest.raises(TypeError):
        eval(combination, {"a": Accuracy()})


@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_a_factor_is_finite(factor):
    with pytest.raises(HsEnvError, match="multiplied by a finite number"):
        factor * Accuracy()


def test_a_reward_that_adapts_has_a_state():
    with pytest.raises(HsEnvError, match=r"'Counting' changes in adapt\(\), so it needs .* state_dict"):

        class Counting(Accuracy):
            def adapt(self, episodes):
                self.count = len(episodes)


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
        (
            lambda e: {"odd": torch.ones(5, dtype=torch.int64)},
            r"'odd'.* must be a dense float tensor of shape .*got \(5,\) of torch.int64",
        ),
        (lambda e: {"odd": torch.ones(5, device="meta")}, r"on cpu, .*got \(5,\) of torch.float32 on meta"),
        (lambda e: {"odd": torch.ones(5).to_sparse()}, r"got .* on cpu, torch.sparse_coo"),
        (lambda e: {"odd": torch.full((5,), 1e300, dtype=torch.float64)}, r"'odd' .* is inf for sentence 0"),
        (lambda e: {"odd": e.log_probs}, r"got \(5, 3\) of torch.float32"),
        (lambda e: None, r"'broken.v1' must return a dict .*got NoneType"),
        (lambda e: torch.ones(5), r"'broken.v1' must return a dict .*got Tensor"),
        (lambda e: e.words, r"'broken.v1' failed: AttributeError: .*'words'"),
        (lambda e: e.log_probs[:, 7], r"'broken.v1' failed: IndexError"),
        (lambda e: {"one": torch.full((5,), 3e38), "two": torch.full((5,), 3e38)}, r"'total' of the reward"),
        (lambda e: {}, r"at least one named term, got none"),
    ],
)
def test_a_broken_reward_is_named(value, message):
    with pytest.raises(HsEnvError, match=message):
        _Broken(value)(make_episodes(LENGTHS))


def test_an_error_of_a_part_names_that_part_and_keeps_its_cause():
    reward = LogLikelihood() - 0.5 * (Accuracy() + _Broken(lambda episodes: 1 / 0))
    with pytest.raises(HsEnvError, match=r"^The reward 'broken\.v1' failed: ZeroDivisionError: ") as raised:
        reward(make_episodes(LENGTHS))
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("gamma", [math.nan, math.inf, "0.2", None])
def test_parameters_are_checked(gamma):
    with pytest.raises(HsEnvError, match="gamma must be a number"):
        IDLSTMReward(gamma)


def test_a_reward_is_called_by_its_class_unless_it_says_otherwise():
    class Unnamed(Reward):
        def terms(self, episodes):
            return {"one": torch.ones(len(episodes))}

    assert (Unnamed() + LogLikelihood()).name == "Unnamed + log_likelihood.v1"
    assert Unnamed()(make_episodes(LENGTHS)).total.tolist() == [1.0] * 5


@pytest.mark.parametrize("name", ["hs_lstm", "phrases", "phrase_length", "boundary_f1", "boundary_rate"])
@pytest.mark.parametrize("relaxed", [False, True])
def test_every_action_but_the_first_ends_a_phrase(name, relaxed):
    """With four ways to end a phrase, an episode earns what it earns with one."""
    plain = make_episodes(LENGTHS)
    modules = (plain.actions * torch.tensor([1, 2, 3, 4, 2, 1, 4, 3, 2])).clone()
    assert modules.max() == 4
    batch = replace(plain.sentences, gold_actions=plain.sentences.gold_actions * 3)
    actions = torch.nn.functional.one_hot(modules, 5).float() if relaxed and name != "boundary_f1" else modules
    earned = make_reward(name)(Episodes(batch, actions, plain.log_probs)).total
    torch.testing.assert_close(earned, make_reward(name)(plain).total)


def test_transitions_between_any_number_of_actions():
    """A change from 1 to 4 counts as one from 0 to 1 does; weights that are drawn apart change with their product."""
    actions = torch.tensor([[1, 4, 4, 0, 2, 1]])
    episodes = replace(one_sentence(["000001"], [[0.0, 0.0]]), actions=actions)
    weights = replace(episodes, actions=torch.nn.functional.one_hot(actions, 5).float())
    assert Transitions()(episodes).total.item() == Transitions()(weights).total.item() == pytest.approx(4 / 6)
    drawn = torch.full((1, 6, 5), 1 / 5)
    assert Transitions()(replace(episodes, actions=drawn)).total.item() == pytest.approx(5 / 6 * 4 / 5)
