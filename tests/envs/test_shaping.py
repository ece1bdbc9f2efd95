"""Dense rewards by a potential: they add up to the reward less what no action changes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.envs.builders import Problem

SENTENCES = ({"text": "good", "label": 0}, {"text": "not very good", "label": 1}, {"text": "the movie is funny"})


@pytest.mark.parametrize("options", SENTENCES)
def test_the_order_of_all_policies_stays(problem: Problem, names: dict[str, Any], options: dict[str, Any]) -> None:
    plain, shaped = problem.single(**names), problem.single(**names, shaping=True)
    length = plain.reset(options=options)[1]["length"]
    sparse, dense = [], []
    for actions in product((0, 1), repeat=length):
        for env, earned in ((plain, sparse), (shaped, dense)):
            env.reset(options=options)
            earned.append([env.step(action)[1] for action in actions])
    assert not np.any(np.array(sparse)[:, :-1])
    assert length == 1 or np.any(np.array(dense)[:, :-1])
    less = np.sum(sparse, 1) - np.sum(dense, 1)
    np.testing.assert_allclose(less, less[0], atol=1e-5)  # the potential of the start
    assert less[0] < 0


def test_the_terms_say_what_the_last_step_earned(problem: Problem, names: dict[str, Any]) -> None:
    env = problem.single(**names, shaping=True)
    env.reset(options=SENTENCES[1])
    for action in (1, 0, 1):
        _, reward, _, _, info = env.step(action)
    assert sum(info["reward_terms"].values()) == pytest.approx(reward, abs=1e-6)
    assert info["reward_terms"]["shaping"] != 0
