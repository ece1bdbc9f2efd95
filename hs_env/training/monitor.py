"""Show the progress of a run on the console, and write its curves."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from hs_env.training.events import EventFile
from hs_env.training.time_left import TimeLeft

_EVERY = 10  # updates per point of a curve
_SECONDS = 30.0  # between two lines about updates where nothing can be drawn over
_SHOWN = {
    "accuracy": "accuracy {:.1%}",
    "log_likelihood": "log-likelihood {:.3f}",
    "reward": "reward {:.3f}",
    "phrases_per_sentence": "{:.1f} phrases",
    "words_retained": "{:.1f} words retained",
    "words_read": "{:.1f} words read",
    "tree_depth": "depth {:.1f}",
    "bits_per_character": "{:.3f} bits per character",
    "boundaries_1": "{:.1%} boundaries",
    "macro_f1": "macro F1 {:.1%}",
}
"""Formats of the dev scores that the console shows, the last ones only where they fit. TensorBoard gets all scores."""


class Monitor:
    """Shows progress on the console and writes curves for TensorBoard.

    A terminal gets a bar that is drawn over. A file and a notebook get lines.

    Args:
        folder: Folder of the run, for TensorBoard's event files; None writes none.
        console: Console that shows progress.
        step: Number of updates done before. TensorBoard drops later points of an earlier process.
        unit: Plural of what an update reads, shown with the speed.
    """

    def __init__(self, folder: Path | None, console: Console, step: int = 0, unit: str = "sentences") -> None:
        self.console = console
        self._events = EventFile(folder, step)
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)
        self._count, self._step, self._unit = 0, step, unit
        self._progress = Progress(
            TextColumn("[bold]{task.description:<5}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._left, self._begun, self._said, self._read = TimeLeft(), 0.0, 0.0, 0

    def __enter__(self) -> Monitor:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._flush()
        finally:
            self._progress.stop()
            self._events.close()

    def stage(
        self, name: str, total: int, completed: int, about: str = "", cost: float = 1.0, later: float = 0.0
    ) -> None:
        """Begin a stage, or resume it.

        Args:
            name: Name of the stage.
            total: Maximum number of its updates.
            completed: Number of updates done.
            about: What the stage does.
            cost: Time of an update, relative to other stages.
            later: Updates of all later stages, times their costs.
        """
        self._flush()
        if about:
            wrapped = not self.console.is_terminal
            self.console.print(f"{name}: {about}", highlight=False, markup=False, soft_wrap=wrapped)
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=total, completed=completed, speed="", left=str(self._left))
        self._left.begin(total - completed, cost, later)
        self._begun = self._said = time.monotonic()
        self._read = 0

    def update(self, step: int, metrics: Mapping[str, float], read: int) -> None:
        """Count update number `step`, which read `read` units. Curves show means over ten updates."""
        self._read += read
        self._left.update()
        if self._task is not None:
            now = time.monotonic()
            speed = f"{self._read / max(now - self._begun, 1e-9):,.0f} {self._unit}/s"
            self._progress.update(self._task, advance=1, speed=speed, left=str(self._left))
            if self._progress.disable and now - self._said > _SECONDS:
                self._said = now
                task = self._progress.tasks[0]
                done = f"{task.description:<5}  {task.completed:,.0f} of {task.total:,.0f} updates"
                self.console.print(f"{done}  {speed}  {self._left}", highlight=False, soft_wrap=True)
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
        """Show the dev scores of epoch `number`, and write them with examples. The best so far are green, or say so."""
        for name, value in scores.items():
            self._events.scalar(f"dev/{name}", value, step)
        self._events.text("sentences", examples, step)
        parts = [shape.format(scores[name]) for name, shape in _SHOWN.items() if name in scores]
        line = f"{stage:<5} {number:>2}"
        for part in parts:
            if not self.console.is_terminal or len(f"{line}  {part}") <= self.console.width:
                line += f"  {part}"
        if better and self.console.color_system is None:
            line += "  (best)"
        self.console.print(line, style="bold green" if better else None, highlight=False, markup=False, soft_wrap=True)
