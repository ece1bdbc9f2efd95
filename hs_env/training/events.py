"""Write the curves of a run for TensorBoard."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.summary import scalar, text

from hs_env.storage import naming


class EventFile:
    """An event file of TensorBoard, which the caller's thread writes at once.

    The `SummaryWriter` of torch writes in a thread of its own, where a full disk is a traceback beside the program.

    Args:
        folder: Folder of the run; None writes nothing.
        step: Number of updates done before. TensorBoard drops later points of an earlier process.
    """

    def __init__(self, folder: Path | None, step: int) -> None:
        self._path = None
        if folder is None:
            return
        self._path = folder / f"events.out.tfevents.{time.time():.0f}.{platform.node()}.{os.getpid()}.{time.time_ns()}"
        self._file = self._path.open("xb", buffering=0)
        self._records = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")
        if any(path != self._path for path in folder.glob("events.out.tfevents.*")):
            self._write(step=step, session_log=SessionLog(status=SessionLog.START))

    def scalar(self, name: str, value: float, step: int) -> None:
        """Add a point of a curve."""
        self._write(step=step, summary=scalar(name, value))

    def text(self, name: str, content: str, step: int) -> None:
        """Add a text in Markdown."""
        self._write(step=step, summary=text(name, content))

    def close(self) -> None:
        """Close the file."""
        if self._path is not None:
            self._file.close()

    def _write(self, **content: Any) -> None:
        if self._path is None:
            return
        with naming(self._path):
            self._records.write(Event(wall_time=time.time(), **content).SerializeToString())
