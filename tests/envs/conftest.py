"""What the tests of environments share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from hs_env.envs.single import EncoderEnv
from hs_env.models import PlainLSTM
from tests.envs.builders import PROBLEMS, TREES, Problem, make_classifier, write_corpus


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Holds `corpus/`, a small classifier for each problem under the name of its encoder, and a `PlainLSTM`."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("envs")
    (folder / "corpus").mkdir()
    for seed, split in enumerate(("train", "dev", "test")):
        write_corpus(folder / "corpus" / f"{split}.jsonl", 30 - 10 * seed, seed)
    for kind in (*(problem.encoder for problem in [*PROBLEMS, TREES]), PlainLSTM):
        make_classifier(kind, "negative", "positive").save(folder / f"{kind.__name__}.safetensors")
    yield folder
    torch.set_num_threads(threads)


@pytest.fixture(params=PROBLEMS, ids=lambda problem: problem.encoder.__name__)
def problem(request: pytest.FixtureRequest) -> Problem:
    """Each decision problem; a module that is about one of them has a fixture of its own."""
    made: Problem = request.param
    return made


@pytest.fixture
def names(folder: Path, problem: Problem) -> dict[str, Any]:
    """Arguments of an environment on the small corpus and classifier."""
    return {"corpus": str(folder / "corpus"), "classifier": str(folder / f"{problem.encoder.__name__}.safetensors")}


@pytest.fixture
def env(problem: Problem, names: dict[str, Any]) -> EncoderEnv:
    """One on the small corpus and classifier."""
    return problem.single(**names)
