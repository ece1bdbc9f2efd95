"""What the tasks say about their actions."""

from __future__ import annotations

import pytest
import torch

from hs_env.types import DISTILLATION, SEGMENTATION

LENGTHS = torch.tensor([3, 1, 2, 3])
WANTED = torch.tensor([[0, 0, 0], [0, 1, 1], [1, 0, 1], [0, 0, 1]])


@pytest.mark.parametrize(
    ("task", "taken"),
    [
        (SEGMENTATION, [[0, 0, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1]]),
        (DISTILLATION, [[0, 0, 1], [1, 0, 0], [1, 0, 0], [0, 0, 1]]),
    ],
    ids=["segmentation", "distillation"],
)
@pytest.mark.parametrize("kind", [torch.int64, torch.bool])
def test_the_last_action_is_forced_only_where_it_must_be(task, taken, kind):
    wanted = WANTED.to(kind)
    assert torch.equal(task.complete(wanted, LENGTHS), torch.tensor(taken))
    assert torch.equal(wanted, WANTED.to(kind))  # it is not changed in place
