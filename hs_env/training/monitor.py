"""Show the progress of a run: a progress bar with speed and time left, and curves in TensorBoard."""

from __future__ import annotations

import os
import platform
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.summary import scalar, text

from hs_env.storage import naming

_EVERY = 10  # updates per point of a curve
_SHOWN = {
    "accuracy": "accuracy {:.1%}",
    "macro_f1": "macro F1 {:.1%}",
    "log_likelihood": "log-likelihood {:.3f}",
    "reward": "reward {:.3f}",
    "phrases_per_sentence": "{:.1f} phrases",
    "words_retained": "{:.1f} words retained",
    "tree_depth": "depth {:.1f}",
    "bits_per_character": "{:.3f} bits per character",
    "boundaries_1": "{:.1%} boundaries",
}
"""Formats of the dev scores that the console shows. TensorBoard gets all scores."""


class EventFile:
    """An event file of TensorBoard, which the caller's thread writes at once.

    The `SummaryWriter` of torch writes in a thread of its own, where a full disk is a traceback beside the program.

    Args:
        folder: Folder of the run.
        step: Number of updates done before. TensorBoard drops later points of an earlier process.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / f"events.out.tfevents.{time.time():.0f}.{platform.node()}.{os.getpid()}.{time.time_ns()}"
        self._file = self._path.open("xb", buffering=0)
        self._records = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")
        if step:
            self._write(step=step, session_log=SessionLog(status=SessionLog.START))

    def scalar(self, name: str, value: float, step: int) -> None:
        """Add a point of a curve."""
        self._write(step=step, summary=scalar(name, value))

    def text(self, name: str, content: str, step: int) -> None:
        """Add a text in Markdown."""
        self._write(step=step, summary=text(name, content))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, **content: Any) -> None:
        with naming(self._path):
            self._records.write(Event(wall_time=time.time(), **content).SerializeToString())


class Monitor:
    """Shows progress on the console and writes curves for TensorBoard.

    Args:
        folder: Folder of the run, for TensorBoard's event files.
        console: Console that shows progress.
        step: Number of updates done before. TensorBoard drops later points of an earlier process.
        unit: Plural of what an update reads, shown with the speed.
    """

    def __init__(self, folder: Path, console: Console, step: int = 0, unit: str = "sentences") -> None:
        self.console = console
        self._events = EventFile(folder, step)
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)
        self._count, self._step = 0, step
        self._progress = Progress(
            TextColumn("[bold]{task.description:<6}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(f"{{task.fields[speed]:>6.0f}} {unit}/s"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[score]}"),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._begun, self._read = 0.0, 0

    def __enter__(self) -> Monitor:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._flush()
        finally:
            self._progress.stop()
            self._events.close()

    def stage(self, name: str, total: int, completed: int) -> None:
        """Begin a stage of `total` updates, or resume it after `completed` of them."""
        self._flush()
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=total, completed=completed, speed=0.0, score="")
        self._begun, self._read = time.monotonic(), 0

    def update(self, step: int, metrics: Mapping[str, float], read: int) -> None:
        """Count update number `step`, which read `read` units. Curves show means over ten updates."""
        self._read += read
        if self._task is not None:
            speed = self._read / max(time.monotonic() - self._begun, 1e-9)
            self._progress.update(self._task, advance=1, speed=speed)
        for name, value in metrics.items():
            self._sums[name] += value
            self._counts[name] += 1
        self._count, self._step = self._count + 1, step
        if self._count == _EVERY:
            self._flush()

    def _flush(self) -> None:
        """Write the means since the last point."""
        for name, total in self._sums.items():
            self._events.scalar(name, total / self._counts[name], self._step)
        self._sums.clear()
        self._counts.clear()
        self._count = 0

    def epoch(
        self, step: int, stage: str, number: int, scores: Mapping[str, float], better: bool, examples: str
    ) -> None:
        """Show the dev scores of epoch `number`, in green if they are the best so far, and write them with examples."""
        for name, value in scores.items():
            self._events.scalar(f"dev/{name}", value, step)
        self._events.text("sentences", examples, step)
        shown = "  ".join(shape.format(scores[name]) for name, shape in _SHOWN.items() if name in scores)
        line = f"{stage:<5} {number:>2}  {shown}"
        self.console.print(f"[bold green]{line}[/]" if better else line, highlight=False, soft_wrap=True)
