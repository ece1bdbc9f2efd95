"""Damage the files of small runs at random and read them: each must load, or be refused with one `HsEnvError`.

A fault is any other error, a read that takes longer than 10 seconds, or a file written outside the run.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from campaign import Campaign
from damage import at_most, damaged, replaced
from rich.console import Console

from hs_env.errors import HsEnvError
from hs_env.evaluation import compare
from hs_env.language import LMConfig, LMRun, resume_lm, train_lm
from hs_env.language.trainer import LMTrainer
from hs_env.report import make_report
from hs_env.storage import load_state, save_state
from hs_env.training import Run, TrainConfig, resume, train
from hs_env.training.classifier_trainer import ClassifierTrainer

QUIET = Console(quiet=True)
SECONDS = 10
"""Longest time that reading a damaged file may take."""
CONFIG = TrainConfig(
    corpus="phrases:train=20,dev=6,test=6",
    vectors="random:4",
    model_parameters={"hidden_size": 4},
    agent_parameters={"samples": 2, "hidden_size": 3},
    batch_size=10,
    warm_epochs=1,
    pnet_epochs=1,
    joint_epochs=1,
    threads=1,
    checkpoint_seconds=0.0,
)
LANGUAGE = LMConfig(
    hidden_size=4, embedding_size=3, output_size=4, batch_size=4, stretch=10, updates=4, evaluate_every=2, threads=1,
    checkpoint_seconds=0.0,
)  # fmt: skip
KINDS = {"classifier": "classifier", "agent": "agent", "checkpoint": "checkpoint", "language_model": "language model"}


def make_runs(folder: Path) -> dict[str, Path]:
    """Train small runs, finished and stopped ones, and return their folders by name."""
    finished = train(CONFIG, folder / "finished", QUIET).folder
    compare(Run.load(finished), "test", QUIET)
    config = replace(CONFIG, model="hm_lstm", agent_parameters={}, pnet_epochs=None)
    hm_lstm = train(config, folder / "hm_lstm", QUIET).folder
    language = train_lm(LANGUAGE, folder / "language", QUIET).folder
    stopped, stopped_language = folder / "stopped", folder / "stopped_language"
    with _stopping(ClassifierTrainer, 5), _interrupted():
        train(CONFIG, stopped, QUIET)
    with _stopping(LMTrainer, 3), _interrupted():
        train_lm(LANGUAGE, stopped_language, QUIET)
    return {each.name: each for each in (finished, hm_lstm, language, stopped, stopped_language)}


@contextmanager
def _stopping(trainer: Any, updates: int) -> Iterator[None]:
    """Interrupt trainers before an update."""
    update = trainer.update

    def stopped(self: Any, *arguments: Any) -> Any:
        if self.progress.updates == updates:
            raise KeyboardInterrupt
        return update(self, *arguments)

    trainer.update = stopped
    try:
        yield
    finally:
        trainer.update = update


@contextmanager
def _interrupted() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        return
    raise RuntimeError("the run was not stopped")


def read(name: str, folder: Path) -> None:
    """Read a run as the commands do."""
    if name == "stopped":
        resume(folder, QUIET)
    elif name == "stopped_language":
        resume_lm(folder, QUIET)
    elif name == "language":
        LMRun.load(folder).evaluate("test", QUIET)
    elif name == "hm_lstm":
        Run.load(folder).data("test")
    else:
        make_report([folder], "test", QUIET)


def mutate(path: Path, dice: random.Random) -> str:
    """Damage a file, and return what was done."""
    if path.suffix == ".json" and dice.random() < 0.7:
        value = replaced(json.loads(path.read_text("utf-8")), dice)
        path.write_text(json.dumps(value), "utf-8")
        return "value replaced"
    if path.suffix == ".safetensors" and dice.random() < 0.7:
        state = replaced(load_state(path, KINDS[path.stem]), dice)
        if isinstance(state, dict):
            try:
                save_state(path, KINDS[path.stem], state)
            except UnicodeEncodeError:
                return "nothing"
            return "value replaced"
    content, what = damaged(path.read_bytes(), dice)
    path.write_bytes(content)
    return what


def campaign(seeds: Iterable[int], folder: Path) -> Iterator[str]:
    """Damage and read a file for each seed, and yield the faults."""
    runs = make_runs(folder / "whole")
    files = [
        (name, path.name)
        for name, whole in runs.items()
        for path in sorted(whole.iterdir())
        if path.suffix in (".json", ".safetensors") and not path.name.startswith("evaluation")
    ]
    before = _names(folder)
    for seed in seeds:
        dice = random.Random(seed)
        name, file = dice.choice(files)
        copy = folder / "copy" / name
        shutil.copytree(runs[name], copy)
        what = f"seed {seed}, {name}/{file}: {mutate(copy / file, dice)}"
        try:
            with at_most(SECONDS):
                read(name, copy)
        except HsEnvError:
            pass
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            yield f"{what}: {type(error).__name__}: {error} ({where.filename}, line {where.lineno})"
        shutil.rmtree(folder / "copy")
        if _names(folder) != before:
            yield f"{what}: files outside of the run were written or removed"
            before = _names(folder)


def _names(folder: Path) -> set[tuple[str, int]]:
    return {(str(path), path.stat().st_size) for path in folder.rglob("*")}


def main() -> int:
    """Run the campaign."""
    chosen = Campaign("mutate", __doc__)
    warnings.simplefilter("ignore")  # tiny runs predict one class alone
    with tempfile.TemporaryDirectory() as folder:
        for fault in campaign(chosen.trials(), Path(folder)):
            chosen.report(found=fault)
    return chosen.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
