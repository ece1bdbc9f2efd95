"""Small commands that the campaigns stop, and what they must leave behind in the end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from safetensors import safe_open

from hs_env.storage import load_state

SMALL: Final = (
    "--corpus phrases:train=60,dev=20,test=20 --vectors random:6 --hidden-size 6 --batch-size 10 --threads 1 "
    "--checkpoint-seconds 0"
)
GRID: Final = """
[settings]
vectors = "random:4"
model_parameters.hidden_size = 4
batch_size = 20
warm_epochs = 1
joint_epochs = 1
[corpora."phrases:train=40,dev=10,test=10"]
seeds = 2
[variants.hs_lstm]
pnet_epochs = 1
[variants.cnn]
model = "cnn"
warm_epochs = 0
"""
TIMES: Final = ("cpu_seconds", "elapsed", "time", "date", "trained_in_seconds", "record")
"""Keys of JSON objects that differ between equal commands: times, and the processes that took part."""


@dataclass(frozen=True)
class Job:
    """A command that writes into a folder, and how to repeat it after a stop.

    In the commands, FOLDER is that folder, and TEXT and GRID are the text and the grid. The program `cell` is one of
    `full.py`, which runs the first cell of a grid.

    Attributes:
        first: The command, a program and its arguments.
        again: Command that continues if `begun` exists; by default the command itself.
        begun: File, in the folder, from which on the job can be continued.
        needs_run: Whether the folder holds a finished run at the start, without its plain LSTM.
    """

    first: str
    again: str = ""
    begun: str = ""
    needs_run: bool = False

    def words(self, folder: Path, place: Path) -> list[str]:
        """Return the command to start now, as words."""
        command = self.again if self.again and (folder / self.begun).exists() else self.first
        names = {"TEXT": place / "text.txt", "GRID": place / "grid.toml"}
        return [str(names.get(word, word)).replace("FOLDER", str(folder)) for word in command.split()]


JOBS: Final = {
    "train": Job(
        f"hs-env train {SMALL} --warm-epochs 2 --pnet-epochs 2 --joint-epochs 2 --out FOLDER/run",
        "hs-env train --resume FOLDER/run",
        "run/config.json",
    ),
    "flat": Job(
        f"hs-env train --model cnn {SMALL} --corpus phrases:train=300,dev=20,test=20 --joint-epochs 6 --out FOLDER/run",
        "hs-env train --resume FOLDER/run",
        "run/config.json",
    ),
    "lm": Job(
        "hs-env lm train --text TEXT --hidden-size 8 --embedding-size 6 --output-size 8 --batch-size 4 --stretch 20 "
        "--updates 60 --evaluate-every 20 --boundary sample --dropout 0.2 --threads 1 --checkpoint-seconds 0 "
        "--out FOLDER/run",
        "hs-env lm train --resume FOLDER/run",
        "run/config.json",
    ),
    "evaluate": Job("hs-env evaluate FOLDER/run --oracle 2", needs_run=True),
    "report": Job(
        "hs-env report FOLDER/run --out FOLDER/report.html",
        "hs-env --version",  # it is finished
        "report.html",
        needs_run=True,
    ),
    "sweep": Job("hs-env sweep GRID --out FOLDER/sweep --jobs 2"),
    "cell": Job("cell GRID FOLDER/sweep"),
    "table": Job("hs-env sweep GRID --runs 0 --out FOLDER/sweep"),
}


def prepare(place: Path) -> None:
    """Write the files that the commands name."""
    (place / "text.txt").write_text("the camera looks scarcely bad without noise overall\n" * 200, encoding="utf-8")
    (place / "grid.toml").write_text(GRID, encoding="utf-8")


def folder_for(job: Job, folder: Path, finished: Path) -> None:
    """Make the folder of a job; `finished` is a finished run."""
    folder.mkdir()
    if job.needs_run:
        shutil.copytree(finished, folder / "run")
        shutil.rmtree(folder / "run" / "plain_lstm", ignore_errors=True)
        for path in (folder / "run").glob("evaluation-*"):
            path.unlink()


def without_times(value: Any) -> Any:
    """Return a JSON value without measured times."""
    if isinstance(value, dict):
        return {key: without_times(each) for key, each in value.items() if key not in TIMES and "second" not in key}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def result(folder: Path) -> dict[str, Any]:
    """Return what a folder holds, without times and paths; weights as bytes."""
    contents: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or "tfevents" in name or path.suffix in (".lock", ".log") or path.name == ".lock":
            continue
        contents[name] = True
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                contents |= {f"{name}:{key}": file.get_tensor(key).numpy().tobytes() for key in file.keys()}  # noqa: SIM118
        elif path.name == "ledger.jsonl":
            entries = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            contents |= {f"{name}:{entry['key']}": without_times(entry) for entry in entries}
        elif path.suffix == ".json" and path.name != "record.json":
            values = without_times(json.loads(path.read_text(encoding="utf-8")))
            contents[name] = json.loads(json.dumps(values).replace(str(folder), ""))
    return contents


def differences(whole: dict[str, Any], again: dict[str, Any]) -> str | None:
    """Say in what two results differ, or return None."""
    differ = sorted(key for key in whole.keys() | again.keys() if whole.get(key) != again.get(key))
    return f"differs from the uninterrupted command: {', '.join(differ)}" if differ else None


def faults(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the files of a stopped command: those that are half written."""
    for path in folder.rglob("*"):
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix == ".safetensors":
                load_state(path, path.stem.replace("_", " "))
            elif path.suffix == ".html" and not path.read_text(encoding="utf-8").rstrip().endswith("</html>"):
                raise ValueError("cut off")
        except ValueError as error:
            yield f"{path.relative_to(folder)}: {error}"
