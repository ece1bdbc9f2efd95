"""Two small runs that the tests of the command line share."""

from __future__ import annotations

import pytest

from hs_env import cli
from tests.cli.builders import SMALL


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "small"
    cli.main(["train", "--out", str(path), "--agent.samples", "3", *SMALL])
    return path


@pytest.fixture(scope="session")
def distilled(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "distilled"
    agent = ["--agent", "ppo", "--agent.steps", "16"]
    cli.main(["train", "--model", "id_lstm", *agent, "--out", str(path), *SMALL])
    return path
