"""The position of a run: which update is next, and what came before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hs_env.errors import HsEnvError, check_ranges


@dataclass
class Progress:
    """Position in a run: the next update is number `batch` of epoch `epoch` of stage number `stage`, from 0.

    Attributes:
        updates: Number of updates done.
        updates_by_stage: Number of updates done, by the name of the stage.
        waited: Number of epochs of this stage since the best one.
        best: Score of the best epoch of this stage (negated if lower is better); None before the first evaluation.
        scale: Scale of that score: see `StagedTrainer.scale`.
        sums: Sums of the logged numbers over the updates since the last evaluation.
        counts: Number of these updates that have logged each of them.
        cpu_seconds: Processor time of training and evaluation. Work after the last checkpoint of a killed process is
            repeated and counted once.
        history: One entry per evaluation.
    """

    stage: int = 0
    epoch: int = 0
    batch: int = 0
    updates: int = 0
    updates_by_stage: dict[str, int] = field(default_factory=dict)
    waited: int = 0
    best: float | None = None
    scale: dict[str, Any] | None = None
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


def progress_of(saved: Mapping[str, Any]) -> Progress:
    """Return the progress of a checkpoint. Those before version 0.3 count the updates once for all logged numbers."""
    values = dict(saved)
    if (updates := values.pop("summed", None)) is not None:
        values["counts"] = dict.fromkeys(values["sums"], updates)
    return Progress(**values)


def check_progress(progress: Progress, stages: int, history_types: Mapping[str, type]) -> None:
    """Check the types and ranges of a progress that was loaded from a file, for a trainer with so many stages.

    Raises:
        HsEnvError: If a value is wrong; the message names its field.
    """
    numbers = ("stage", "epoch", "batch", "updates", "waited")
    check_ranges(progress, **dict.fromkeys(numbers, (0, 1e15)), cpu_seconds=(0, 1e15))
    if progress.best is not None:
        check_ranges(progress, best=(-math.inf, math.inf))
    updates, history = progress.updates_by_stage, progress.history
    if progress.stage > stages:
        raise HsEnvError(f"stage must be at most {stages}, got {progress.stage}")
    if not isinstance(updates, dict) or not all(type(count) is int for count in updates.values()):
        raise HsEnvError("updates_by_stage must have a whole number per stage")
    if not isinstance(progress.sums, dict) or not all(type(value) is float for value in progress.sums.values()):
        raise HsEnvError("sums must have a number per name")
    counts = progress.counts
    if not isinstance(counts, dict) or counts.keys() != progress.sums.keys():
        raise HsEnvError("counts must have a number for each of the sums")
    if not all(type(count) is int and count > 0 for count in counts.values()):
        raise HsEnvError("counts must be whole numbers from 1")
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        raise HsEnvError("history must be a list of evaluations")
    for name, kind in history_types.items():
        if not all(type(entry.get(name)) is kind for entry in history):
            raise HsEnvError(f"each evaluation of the history must have a {kind.__name__} {name!r}")
    done = progress.stage == stages or progress.best is not None
    if done and not any(entry.get("best", True) for entry in history):
        raise HsEnvError("the history must have an evaluation that is the best")
