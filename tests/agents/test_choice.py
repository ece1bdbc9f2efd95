"""Distributions over the legal actions, against torch.distributions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical

from hs_env.agents import BinaryChoice, CategoricalChoice, choice_of

GRID = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
"""Uniform numbers, so many and so evenly spread that frequencies are probabilities."""
LOGITS = torch.tensor([-30.0, -2.0, -0.1, 0.0, 0.7, 5.0, 200.0])


def free(rows: int, k: int) -> Tensor:
    return torch.ones(rows, k, dtype=torch.bool)


def masks(k: int) -> Tensor:
    """(2^k - 1, k) bool: every set of legal actions."""
    return torch.tensor([[bool(number >> action & 1) for action in range(k)] for number in range(1, 2**k)])


def random_choice(k: int, seed: int = 0) -> CategoricalChoice:
    """Every set of legal actions, each with random logits."""
    legal = masks(k)
    return CategoricalChoice(2 * torch.randn(legal.shape, generator=torch.Generator().manual_seed(seed)), legal)


def probabilities(choice: CategoricalChoice) -> Tensor:
    weights = choice.logits.exp() * choice.legal
    return weights / weights.sum(1, keepdim=True)


@pytest.mark.parametrize("logit", LOGITS.tolist())
def test_binary_draws_have_the_frequency_of_the_probability(logit: float) -> None:
    drawn = BinaryChoice(torch.full((len(GRID),), logit), free(len(GRID), 2)).draw(GRID)
    assert drawn.double().mean().item() == pytest.approx(1 / (1 + torch.tensor(-logit).exp().item()), abs=2e-5)
    assert (drawn.diff() <= 0).all(), "small numbers select action 1"


@pytest.mark.parametrize("k", [2, 3, 4])
def test_categorical_draws_have_the_frequencies_of_the_probabilities(k: int) -> None:
    choice = random_choice(k)
    for row, expected in enumerate(probabilities(choice)):
        logits, legal = choice.logits[row].expand(len(GRID), k), choice.legal[row].expand(len(GRID), k)
        drawn = CategoricalChoice(logits, legal).draw(GRID)
        frequency = torch.bincount(drawn, minlength=k).double() / len(GRID)
        torch.testing.assert_close(frequency, expected.double(), atol=3e-5, rtol=0)
        assert not frequency[~choice.legal[row]].any()
        assert (drawn.diff() <= 0).all(), "small numbers select the last action"


@pytest.mark.parametrize("uniform", [0.0, 0.3, 1 - 2**-24])
def test_a_draw_is_a_legal_function_of_the_uniform_number(uniform: float) -> None:
    for k in (2, 3, 4):
        choice = random_choice(k)
        numbers = torch.full((len(choice.legal),), uniform)
        drawn = choice.draw(numbers)
        assert torch.equal(drawn, choice.draw(numbers.clone()))
        assert choice.legal.gather(1, drawn[:, None]).all()
        for row in range(len(numbers)):
            alone = CategoricalChoice(choice.logits[row : row + 1], choice.legal[row : row + 1])
            assert alone.draw(numbers[:1]) == drawn[row]


def test_sampling_draws_from_the_generator() -> None:
    choice = random_choice(3)
    sampled = choice.sample(torch.Generator().manual_seed(4))
    assert torch.equal(sampled, choice.draw(torch.rand(len(sampled), generator=torch.Generator().manual_seed(4))))
    rows = 40_000
    many = CategoricalChoice(choice.logits[-1].expand(rows, 3), free(rows, 3)).sample(torch.Generator().manual_seed(0))
    expected = probabilities(choice)[-1]
    error = (expected * (1 - expected) / rows).sqrt()
    assert ((torch.bincount(many, minlength=3) / rows - expected).abs() < 4 * error).all()


def test_binary_log_probabilities_and_entropy() -> None:
    logits = LOGITS[1:-1].clone().requires_grad_()
    choice, expected = BinaryChoice(logits, free(len(logits), 2)), Bernoulli(logits=logits)
    for action in (0, 1):
        actions = torch.full((len(logits),), action)
        torch.testing.assert_close(choice.log_prob(actions), expected.log_prob(actions.float()))
    torch.testing.assert_close(choice.entropy(), expected.entropy())
    for one, other in (
        (choice.entropy(), expected.entropy()),
        (choice.log_prob(actions), expected.log_prob(actions * 1.0)),
    ):
        (mine,), (its,) = (torch.autograd.grad(value.sum(), logits) for value in (one, other))
        torch.testing.assert_close(mine, its, atol=1e-6, rtol=1e-4)
    extreme = BinaryChoice(torch.tensor([-500.0, 500.0]), free(2, 2))
    assert extreme.entropy().tolist() == [0, 0]
    assert extreme.log_prob(torch.tensor([1, 0])).tolist() == [-500, -500]


@pytest.mark.parametrize("k", [2, 3, 4])
def test_categorical_log_probabilities_and_entropy(k: int) -> None:
    choice = random_choice(k)
    choice.logits.requires_grad_()
    choice = CategoricalChoice(choice.logits, choice.legal)
    assert torch.equal(choice.free, choice.legal.sum(1) > 1)
    for row in range(len(choice.legal)):
        actions = choice.legal[row].nonzero().squeeze(1)
        expected = Categorical(logits=choice.logits[row, actions])
        torch.testing.assert_close(choice.entropy()[row], expected.entropy())
        assert choice.best()[row] == actions[choice.logits[row, actions].argmax()]
        for place, action in enumerate(actions):
            taken = choice.best().index_fill(0, torch.tensor([row]), int(action))
            torch.testing.assert_close(choice.log_prob(taken)[row], expected.log_prob(torch.tensor(place)))
    for value in (choice.entropy(), choice.log_prob(choice.best())):
        (gradient,) = torch.autograd.grad(value.sum(), choice.logits, retain_graph=True)
        assert gradient.isfinite().all()
        assert not gradient[~choice.legal].any()
        assert not gradient[~choice.free].any()


@pytest.mark.parametrize("k", [2, 3, 4])
def test_forced_actions_are_no_choice(k: int) -> None:
    legal = torch.eye(k, dtype=torch.bool)
    logits = 3 * torch.randn(k, k, generator=torch.Generator().manual_seed(1))
    choices = [CategoricalChoice(logits, legal)] + ([BinaryChoice(logits[:, 0], legal)] if k == 2 else [])
    for choice in choices:
        forced = torch.arange(k)
        assert not choice.free.any()
        for actions in (choice.best(), choice.draw(torch.zeros(k)), choice.draw(torch.full((k,), 0.999))):
            assert torch.equal(actions, forced)
        assert choice.log_prob(forced).tolist() == [0] * k
        assert choice.entropy().tolist() == [0] * k


def test_infinite_logits_of_three_actions_are_finite_choices() -> None:
    choice = CategoricalChoice(torch.tensor([[torch.inf, 0.0, -torch.inf]]).expand(3, 3), free(3, 3))
    assert choice.best().tolist() == [0, 0, 0]
    assert choice.entropy().tolist() == [0, 0, 0]
    assert choice.log_prob(choice.best()).tolist() == [0, 0, 0]
    assert choice.log_prob(torch.arange(3)).isfinite().all()


def test_two_categories_equal_the_binary_choice() -> None:
    legal = masks(2).repeat(len(LOGITS), 1)
    logits = LOGITS.repeat_interleave(3)
    binary = choice_of(logits, legal)
    shift = torch.linspace(-3, 3, len(logits))
    categorical = choice_of(torch.stack([shift, shift + logits], 1), legal)
    assert (type(binary), type(categorical)) == (BinaryChoice, CategoricalChoice)
    assert torch.equal(binary.free, categorical.free)
    moderate = logits.abs() > 1e-3  # a shift rounds ties
    assert torch.equal(binary.best()[moderate], categorical.best()[moderate])
    torch.testing.assert_close(binary.entropy(), categorical.entropy(), atol=1e-5, rtol=1e-4)
    for actions in (legal[:, 1].long(), (~legal[:, 0]).long()):
        torch.testing.assert_close(binary.log_prob(actions), categorical.log_prob(actions), atol=2e-5, rtol=1e-4)
    for uniform in torch.rand(200, generator=torch.Generator().manual_seed(0)):
        numbers = uniform.expand(len(logits))
        clear = (numbers - logits.sigmoid()).abs() > 1e-5
        assert torch.equal(binary.draw(numbers)[clear], categorical.draw(numbers)[clear])


def test_rows_may_have_more_axes() -> None:
    logits = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    legal = torch.ones(4, 5, 3, dtype=torch.bool)
    whole, flat = CategoricalChoice(logits, legal), CategoricalChoice(logits.view(20, 3), legal.view(20, 3))
    uniform = torch.rand(4, 5)
    assert torch.equal(whole.draw(uniform).flatten(), flat.draw(uniform.flatten()))
    assert torch.equal(whole.log_prob(whole.best()).flatten(), flat.log_prob(flat.best()))
    assert torch.equal(whole.entropy().flatten(), flat.entropy())
