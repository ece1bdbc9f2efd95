"""A hub on loopback, and a small finished run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from hs_env.evaluation import compare
from hs_env.training import TrainConfig, train
from tests.hub.server import TOKEN, Hub, serving


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub without repositories, for which the process has a token."""
    with serving() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.endpoint)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HS_ENV_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        yield served


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluated run on a file of the user."""
    folder: Path = tmp_path_factory.mktemp("user")
    lines = [f"film {at} is {word}\t{label}" for word, label in (("good", "pos"), ("bad", "neg")) for at in range(30)]
    (folder / "reviews.tsv").write_text("text\tlabel\n" + "\n".join(lines) + "\n")
    config = TrainConfig(
        corpus=str(folder / "reviews.tsv"),
        data_dir=folder,
        vectors="random:6",
        model_parameters={"hidden_size": 8, "dropout": 0.2},
        agent_parameters={"samples": 3},
        warm_epochs=1,
        pnet_epochs=1,
        joint_epochs=1,
        threads=1,
    )
    run = train(config, folder / "run", Console(quiet=True))
    compare(run, "test", Console(quiet=True))
    return run.folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run, which a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "run"))
