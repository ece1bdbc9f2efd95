"""Training and evaluation do not depend on the settings of torch in the host process, and leave them as they are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from hs_env.evaluation import compare
from hs_env.language import LMConfig, train_lm
from hs_env.training import Run, TrainConfig, train

QUIET = Console(quiet=True)
CONFIG = TrainConfig(
    corpus="phrases:train=16,dev=4,test=4",
    vectors="random:4",
    model_parameters={"hidden_size": 4},
    agent_parameters={"samples": 2, "hidden_size": 3},
    warm_epochs=1,
    pnet_epochs=1,
    joint_epochs=1,
    threads=1,
    device="cpu",
)
LANGUAGE = LMConfig(hidden_size=4, layers=2, batch_size=4, stretch=20, updates=2, evaluate_every=2, device="cpu")


@contextmanager
def doubles() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


HOSTS: dict[str, AbstractContextManager[object]] = {
    "float64": doubles(),
    "autocast": torch.autocast("cpu", torch.bfloat16),
    "no_grad": torch.no_grad(),
    "inference_mode": torch.inference_mode(),
}


def results(folder: Path) -> tuple[dict[str, torch.Tensor], list[dict[str, float]], dict[str, torch.Tensor]]:
    """Train a classifier with its policy, compare it with the plain LSTM, and train a language model."""
    run = train(CONFIG, folder / "run", QUIET)
    scores = [{name: each.value for name, each in row.intervals.items()} for row in compare(run, console=QUIET).rows]
    language = train_lm(LANGUAGE, folder / "lm", QUIET)
    return run.classifier.model.state_dict(), scores, language.language_model.model.state_dict()


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    return results(tmp_path_factory.mktemp("usual"))


@pytest.mark.parametrize("host", HOSTS)
def test_training_is_the_same_in_any_host(host: str, usual: tuple[object, ...], tmp_path: Path) -> None:
    with HOSTS[host]:
        found = results(tmp_path)
    assert found[1] == usual[1]
    for mine, its in ((found[0], usual[0]), (found[2], usual[2])):
        assert isinstance(its, dict)
        assert mine.keys() == its.keys()
        for name, value in mine.items():
            assert value.dtype == its[name].dtype
            assert torch.equal(value, its[name]), name


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork by default")
def test_training_works_in_a_forked_child_of_a_process_with_threads(tmp_path: Path) -> None:
    code = f"""
import multiprocessing, sys, torch
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.training.test_host_process import CONFIG, QUIET
from dataclasses import replace
from hs_env.training import train
torch.set_num_threads(2)
(torch.randn(1000, 1000) @ torch.randn(1000, 1000)).sum(), torch.relu(torch.randn(4_000_000))

def use():
    config = replace(CONFIG, threads=2, model_parameters={{"hidden_size": 64}})
    train(config, {str(tmp_path / "run")!r}, QUIET)

child = multiprocessing.get_context("fork").Process(target=use)
child.start()
child.join(100)
child.kill()
sys.exit(child.exitcode)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "history.json").exists()


def test_the_number_of_threads_is_that_of_the_host_afterwards(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        train(replace(CONFIG, threads=1), tmp_path / "run", QUIET)
        Run.load(tmp_path / "run")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_trainings_in_threads_take_turns(usual: tuple[object, ...], tmp_path: Path) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(lambda name: train(CONFIG, tmp_path / name, QUIET), "abc"))
    for run in runs:
        torch.testing.assert_close(run.classifier.model.state_dict(), usual[0], rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), state)
