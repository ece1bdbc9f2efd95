"""Search configurations with Optuna. Trials are judged on dev; test is never read."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout
from rich.console import Console

from hs_env.errors import HsEnvError, missing_extra
from hs_env.experiments.space import Range, Space, Value, values_in, with_values
from hs_env.models.saved import is_out_of_memory
from hs_env.parameters import plain_values
from hs_env.settings import to_toml
from hs_env.storage import check_folder, write_atomically
from hs_env.training import TrainConfig, train_or_resume
from hs_env.training.data import digests_of
from hs_env.training.run_kind import IMMATERIAL
from hs_env.training.time_left import TimeLeft

try:
    import optuna
    from optuna.trial import FrozenTrial, Trial, TrialState
    from sqlalchemy import URL
    from sqlalchemy.exc import SQLAlchemyError
except ImportError as error:
    raise missing_extra("Searches", "tune") from error

SCORE: Final = "log_likelihood"
"""Score on dev that is maximised. Training chooses its epochs by it, too, unless it goes by the reward."""
STORAGE, BEST = "study.db", "best.toml"
"""Files in the folder of a search: the study, and the best configuration."""
_STAGES: Final = ("warm", "pnet", "joint")
_FIRST_PRUNED: Final = 3
"""Number of epochs, from 1, after which a trial may be stopped."""
_EPOCHS: Final = 10**6
"""Steps between two stages: trials are compared at the same epoch of the same stage."""


def tune(config: TrainConfig, space: Space, out: Path, trials: int, console: Console | None = None) -> Path:
    """Search the space until the study has this number of trials, finished, pruned or failed.

    The first trial has the values of the configuration itself, as far as the space has them. Every trial is a run in
    `OUT/trials`, whose log-likelihood on dev is reported after each epoch. Once four trials have finished, a trial
    that is worse than the median of the others at the same epoch is stopped, from the third epoch on.

    If a later trial fails for its configuration or for lack of memory, the search goes on without its score. A failure
    of the first trial, or any other error, such as a full disk, ends the search; the same command continues it. Several
    processes may share a study. If a process is killed, the next one continues its trial from the checkpoint.

    Args:
        config: Configuration; the space replaces some of its fields.
        space: What is searched.
        out: Folder of the search, which may hold an unfinished one.
        trials: Number of trials of the study.
        console: Console that shows progress; by default standard error.

    Returns:
        File of the best configuration, for `hs-env train --config`.

    Raises:
        HsEnvError: If the folder holds another search, the first trial fails, or no trial has finished.
    """
    if trials < 1:
        raise HsEnvError(f"The number of trials must be 1 or more, got {trials}.")
    check_folder(out)
    console = console or Console(stderr=True)
    with _naming_storage(out):
        return _tune(config.located(), space, out, trials, console)


def _tune(config: TrainConfig, space: Space, out: Path, trials: int, console: Console) -> Path:
    study = _open(config, space, out)
    left = TimeLeft(enough=1)
    left.begin(trials - len(_ended(study)))
    while (claimed := _claim(study, config, space, out, trials)) is not None:
        trial, values, lock = claimed
        try:
            state = _run(study, trial, with_values(config, values), out)
        except KeyboardInterrupt:
            console.print("Stopped. Repeat the command to continue.")
            raise
        finally:
            lock.release()
        left.update()
        done, rest = len(_ended(study)), str(left)
        told = f"{done}/{trials} trial {trial.number} {state}" + (f", {rest}" if rest and done < trials else "")
        console.print(told, highlight=False, soft_wrap=True, markup=False)
    finished = [each for each in study.get_trials(deepcopy=False) if each.state == TrialState.COMPLETE]
    if not finished:
        raise HsEnvError(f"No trial of {len(study.trials)} has finished: {_told(study)}.")
    best = study.best_trial
    text = f"# Trial {best.number} of {len(study.trials)}: {SCORE} {best.value:.4f} on dev.\n"
    text += to_toml(_changed(with_values(config, best.params)))
    write_atomically(out / BEST, text.encode())
    return out / BEST


@contextmanager
def _naming_storage(out: Path) -> Iterator[None]:
    """Turn errors of the study's file into one that names it."""
    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = error.__cause__ or error
        reason = getattr(cause, "orig", None) or cause
        raise HsEnvError(
            f"The study in {out / STORAGE} cannot be read or written: {reason}. Is the disk full, or is it no study of "
            "hs-env? Then move the file away, or choose another folder (--out)."
        ) from error


def _open(config: TrainConfig, space: Space, out: Path) -> optuna.Study:
    """Create or load the study of a folder, and check that it is the same search."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings = {name: value for name, value in _changed(config).items() if name not in IMMATERIAL}
    searched = {
        "configuration": settings,
        "space": {name: repr(each) for name, each in space.items()},
        "data": digests_of(config.resolve()),
    }
    search = json.dumps(searched, sort_keys=True)
    (out / "trials").mkdir(parents=True, exist_ok=True)
    with FileLock(out / ".lock"):
        study = optuna.create_study(
            storage=str(URL.create("sqlite", database=str((out / STORAGE).absolute()))),
            study_name="hs-env",
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
        )
        if other := _different(json.loads(study.user_attrs.get("search", search)), searched):
            raise HsEnvError(f"{out} holds a search with {other}. Choose another folder (--out).")
        study.set_user_attr("search", search)
        if not study.get_trials(deepcopy=False):
            study.enqueue_trial(values_in(space, config))
    return study


def _different(before: Any, searched: Mapping[str, Mapping[str, Any]]) -> str:
    """Say in which parts and fields two searches differ; empty if they do not.

    Earlier versions saved a list without names, and perhaps without digests of data.
    """
    parts = before if isinstance(before, dict) else dict(zip(searched, before, strict=False))
    differences = []
    for name, now in searched.items():
        own = parts.get(name, now)
        known = now.keys() & own.keys() if name == "data" else {*now, *own} - {*IMMATERIAL}
        if fields := sorted(field for field in known if own.get(field) != now.get(field)):
            differences.append(f"other {name} ({', '.join(fields)})")
    return " and ".join(differences)


def _claim(
    study: optuna.Study, config: TrainConfig, space: Space, out: Path, trials: int
) -> tuple[Trial, dict[str, Value], FileLock] | None:
    """Take a trial that a killed process has left, or else a new one; None if there are enough.

    A trial belongs to the process that holds the lock of its folder.
    """
    with FileLock(out / ".lock"):
        for each in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            lock = FileLock(f"{_folder(out, each.number)}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            trial = Trial(study, each._trial_id)
            return trial, {name: _suggest(trial, name, values) for name, values in space.items()}, lock
        number = sum(each.state != TrialState.WAITING for each in study.get_trials(deepcopy=False))
        if number >= trials:
            return None
        study.sampler = optuna.samplers.TPESampler(seed=(config.seed * 100_003 + number) % 2**32, n_startup_trials=5)
        trial = study.ask()
        lock = FileLock(f"{_folder(out, trial.number)}.lock")
        lock.acquire()
        return trial, {name: _suggest(trial, name, values) for name, values in space.items()}, lock


def _suggest(trial: Trial, name: str, values: Range) -> Value:
    if values.choices:
        choice: Value | None = trial.suggest_categorical(name, values.choices)
        assert choice is not None
        return choice
    if isinstance(values.low, int) and isinstance(values.high, int):
        whole: int = trial.suggest_int(name, values.low, values.high, log=values.log)
        return whole
    number: float = trial.suggest_float(name, values.low, values.high, log=values.log)
    return number


def _run(study: optuna.Study, trial: Trial, config: TrainConfig, out: Path) -> str:
    """Train a trial and tell the study how it ended; return this in words."""
    folder, reported = _folder(out, trial.number), set(study.trials[trial.number].intermediate_values)

    def report(entry: Mapping[str, Any]) -> None:
        step = _STAGES.index(entry["stage"]) * _EPOCHS + entry["epoch"]
        if step not in reported and entry["epoch"]:  # 0 is before any update of the stage
            trial.report(entry[SCORE], step)
            reported.add(step)
        if len(reported) >= _FIRST_PRUNED and trial.should_prune():
            raise optuna.TrialPruned

    with Path(f"{folder}.log").open("a", encoding="utf-8") as log:
        try:
            run = train_or_resume(config, folder, Console(file=log), report)
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
            return "was pruned"
        except (HsEnvError, RuntimeError, MemoryError) as error:
            traceback.print_exc(file=log)
            if not (isinstance(error, HsEnvError) or is_out_of_memory(error)):
                raise
            if trial.number == 0:  # the configuration itself does not work, and the trial is repeated with the command
                raise
            fault = str(error) or type(error).__name__
            trial.set_user_attr("error", fault)
            study.tell(trial, state=TrialState.FAIL)
            return f"failed: {fault}"
    study.tell(trial, run.scores[SCORE])
    return f"{SCORE} {run.scores[SCORE]:.3f}, accuracy {run.scores['accuracy']:.1%}"


def _folder(out: Path, number: int) -> Path:
    return out / "trials" / str(number)


def _ended(study: optuna.Study) -> list[FrozenTrial]:
    return [each for each in study.get_trials(deepcopy=False) if each.state.is_finished()]


def _told(study: optuna.Study) -> str:
    """Tell the state of each trial, and the error of those that failed."""
    states = [str(each.user_attrs.get("error", each.state.name.lower())) for each in study.get_trials(deepcopy=False)]
    return "; ".join(f"trial {number} {state}" for number, state in enumerate(states))


def _changed(config: TrainConfig) -> dict[str, Any]:
    """Return the fields that differ from the defaults, as JSON values."""
    default = plain_values(TrainConfig())
    changed = {name: value for name, value in plain_values(config).items() if value != default[name]}
    return {name: str(value) if isinstance(value, Path) else value for name, value in changed.items()}
