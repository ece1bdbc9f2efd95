"""Runs that were stopped."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from hs_env.training import TrainConfig, train


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
