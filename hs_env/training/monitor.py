"""What a run shows while it trains: a progress bar with speed and time left, and TensorBoard."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

_EVERY = 10  # updates between two points of a curve
_SHOWN = {
    "accuracy": "accuracy {:.1%}",
    "log_likelihood": "log-likelihood {:.3f}",
    "reward": "reward {:.3f}",
    "phrases_per_sentence": "{:.1f} phrases",
    "words_retained": "{:.1f} words retained",
    "bits_per_character": "{:.3f} bits a character",
    "boundaries_1": "{:.1%} boundaries",
}
"""How scores on dev are shown; others go to TensorBoard only."""


class Monitor:
    """Progress on the console and curves in TensorBoard.

    Args:
        folder: The run's folder, for TensorBoard's event files.
        console: Where progress is shown.
        step: Update that the run goes on from; later points of an earlier process are dropped.
        unit: What is read.
    """

    def __init__(self, folder: Path, console: Console, step: int = 0, unit: str = "sentences") -> None:
        self.console = console
        self._writer = SummaryWriter(str(folder), purge_step=step or None)
        self._sums: dict[str, float] = defaultdict(float)
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._progress.stop()
        self._writer.close()

    def stage(self, name: str, total: int, completed: int) -> None:
        """A stage of `total` updates begins, or goes on after `completed` of them."""
        self._flush()
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=total, completed=completed, speed=0.0, score="")
        self._begun, self._read = time.monotonic(), 0

    def update(self, step: int, metrics: Mapping[str, float], read: int) -> None:
        """One update is done, which read so many sentences; curves show the mean over ten."""
        self._read += read
        if self._task is not None:
            speed = self._read / max(time.monotonic() - self._begun, 1e-9)
            self._progress.update(self._task, advance=1, speed=speed)
        for name, value in metrics.items():
            self._sums[name] += value
        self._count, self._step = self._count + 1, step
        if self._count == _EVERY:
            self._flush()

    def _flush(self) -> None:
        """Write the mean of what came since the last point."""
        for name, total in self._sums.items():
            self._writer.add_scalar(name, total / self._count, self._step)
        self._sums.clear()
        self._count = 0

    def epoch(self, step: int, stage: str, number: int, scores: Mapping[str, float], better: bool, text: str) -> None:
        """An epoch is over: its scores on dev (in green where it is the best), and examples as markdown."""
        for name, value in scores.items():
            self._writer.add_scalar(f"dev/{name}", value, step)
        self._writer.add_text("sentences", text, step)
        shown = "  ".join(shape.format(scores[name]) for name, shape in _SHOWN.items() if name in scores)
        line = f"{stage:<5} {number:>2}  {shown}"
        self.console.print(f"[bold green]{line}[/]" if better else line, highlight=False, soft_wrap=True)
