"""Runs that were stopped."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hs_env.training import TrainConfig, train
from hs_env.training.classifier_optimizer import ClassifierOptimizer


def train_almost_to_the_end(config: TrainConfig, folder: Path) -> str:
    """Train, and be stopped when all is saved but what says that the run is finished; returns what was shown."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hs_env.training.stages.write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            train(config, folder, Console(file=shown, width=10_000))
    return shown.getvalue()


def stop_at_update(number: int, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Let update `number` of a classifier, from 1, raise a KeyboardInterrupt; return a list that grows with each."""
    updates: list[None] = []
    update = ClassifierOptimizer.update

    def interrupted(self: ClassifierOptimizer[Any], *arguments: Any) -> dict[str, float]:
        updates.append(None)
        if len(updates) == number:
            raise KeyboardInterrupt
        return update(self, *arguments)

    monkeypatch.setattr(ClassifierOptimizer, "update", interrupted)
    return updates
