"""Runs that were killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from hs_env.training import TrainConfig, train


def train_almost_to_the_end(config: TrainConfig, folder: Path) -> None:
    """Train, and be killed when all is saved but what says that the run is finished."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hs_env.training.stages.write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            train(config, folder, Console(quiet=True))
