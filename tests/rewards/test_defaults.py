"""The table of defaults in docs/rewards.md."""

from __future__ import annotations

import re
from pathlib import Path

from hs_env.models import MODELS, StructuredEncoder
from hs_env.training import TrainConfig

PAGE = Path(__file__).parents[2] / "docs" / "rewards.md"


def test_the_page_has_the_defaults_of_every_model():
    section = PAGE.read_text(encoding="utf-8").partition("\n## Defaults\n")[2].partition("\n## ")[0]
    described = {}
    for row in re.findall(r"^\| (`.+) \|$", section, re.MULTILINE):
        models, *told = (cell.strip() for cell in row.split(" | "))
        described |= dict.fromkeys(re.findall(r"`(\w+)`", models), told)
    expected = {}
    for name in MODELS:
        kind = MODELS.get(name)
        if not issubclass(kind, StructuredEncoder) or not kind.__module__.startswith("hs_env."):
            continue
        config = TrainConfig(model=name).resolve()
        epochs = f"{config.warm_epochs}, {config.pnet_epochs}, {config.joint_epochs}"
        rewards = [f"`{config.reward}`", f"`{kind.problem.environment.reward}`"]
        expected[name.partition(".")[0]] = [
            *rewards,
            f"`{config.warm_start}`",
            epochs,
            "yes" if config.reward_dropout else "no",
        ]
    assert described == expected
