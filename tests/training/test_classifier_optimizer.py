"""How a classifier's weights move."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from hs_env.models import HSLSTM
from hs_env.training.classifier_optimizer import ClassifierOptimizer
from tests.builders import make_batch, make_encoder, random_actions

BATCH, ACTIONS = make_batch([7, 1, 4]), random_actions(3, 7)


def weights(optimizer: ClassifierOptimizer[HSLSTM]) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in optimizer.fast.named_parameters()}


def test_without_decay_it_is_adam() -> None:
    optimizer, model = ClassifierOptimizer(make_encoder(), 0.1, 5.0), make_encoder()
    adam = torch.optim.Adam(model.parameters(), lr=0.01, fused=True)
    for _ in range(3):
        optimizer.update(0.01, BATCH.labels, BATCH, ACTIONS)
        adam.zero_grad()
        torch.nn.functional.nll_loss(model(BATCH, ACTIONS), BATCH.labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        adam.step()
    for name, weight in model.named_parameters():
        assert torch.equal(weights(optimizer)[name], weight), name


def test_decay_shrinks_matrices_and_leaves_word_vectors_and_biases() -> None:
    """Decoupled: what decay takes away does not depend on the gradient."""
    plain, decaying = (ClassifierOptimizer(make_encoder(), 0.1, 5.0, weight_decay) for weight_decay in (0.0, 2.0))
    before = weights(plain)
    for optimizer in (plain, decaying):
        optimizer.update(0.01, BATCH.labels, BATCH, ACTIONS)
    shrunk = {
        "word_level.weight_ih",
        "word_level.weight_hh",
        "phrase_level.weight_ih",
        "phrase_level.weight_hh",
        "output.weight",
    }
    for name, weight in weights(decaying).items():
        taken = 0.01 * 2 * before[name] if name in shrunk else torch.zeros(())
        torch.testing.assert_close(weight, weights(plain)[name] - taken, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
@pytest.mark.parametrize("fused", [True, False])
def test_it_goes_on_from_its_state(weight_decay: float, fused: bool) -> None:
    """Also from a state that was saved on a device without the fused update of Adam."""
    first, second = (ClassifierOptimizer(make_encoder(seed=seed), 0.1, 5.0, weight_decay) for seed in (0, 1))
    first.update(0.01, BATCH.labels, BATCH, ACTIONS)
    state = copy.deepcopy(first.state_dict())
    for group in state["optimizer"]["param_groups"]:
        group["fused"] = fused
    second.load_state_dict(state)
    assert all(group["fused"] for group in second.optimizer.param_groups)
    for optimizer in (first, second):
        optimizer.update(0.01, BATCH.labels, BATCH, ACTIONS)
    assert all(torch.equal(weight, weights(second)[name]) for name, weight in weights(first).items())
