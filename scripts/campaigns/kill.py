"""Kill `train` and `lm train` at random moments and resume them: the result must equal that of an uninterrupted run.

After each kill the run is resumed and perhaps killed again. Configuration, weights of all files and the history without
its times must be equal bit for bit.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from ledger import Campaign
from safetensors import safe_open

KINDS: Final = {
    "train": (
        "train --corpus phrases:train=60,dev=20,test=20 --vectors random:6 --hidden-size 6 --batch-size 10 "
        "--warm-epochs 2 --pnet-epochs 2 --joint-epochs 2 --threads 1 --checkpoint-seconds 0"
    ),
    "flat": (
        "train --model cnn --corpus phrases:train=300,dev=20,test=20 --vectors random:6 --hidden-size 6 "
        "--batch-size 10 --joint-epochs 6 --threads 1 --checkpoint-seconds 0"
    ),
    "lm": (
        "lm train --text TEXT --hidden-size 8 --embedding-size 6 --output-size 8 --batch-size 4 --stretch 20 "
        "--updates 60 --evaluate-every 20 --boundary sample --dropout 0.2 --threads 1 --checkpoint-seconds 0"
    ),
}
TIMES: Final = ("seconds", "cpu_seconds", "elapsed", "time", "date", "trained_in_seconds")
LIMIT: Final = 120
"""Seconds after which a process counts as one that hangs."""


def command(arguments: str, text: Path) -> list[str]:
    """Return the command line of hs-env."""
    return [sys.executable, "-m", "hs_env.cli", *(str(text) if word == "TEXT" else word for word in arguments.split())]


def without_times(value: Any) -> Any:
    """Return a JSON value without measured times."""
    if isinstance(value, dict):
        return {key: without_times(each) for key, each in value.items() if key not in TIMES and "second" not in key}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def result(folder: Path) -> dict[str, Any]:
    """Return what a finished run holds, without times; weights as bytes."""
    contents: dict[str, Any] = {f"file {path.name}": True for path in folder.iterdir() if "tfevents" not in path.name}
    for path in sorted(folder.glob("*.safetensors")):
        if path.name.startswith("checkpoint"):
            continue
        with safe_open(path, "pt") as file:
            contents |= {f"{path.name}:{key}": file.get_tensor(key).numpy().tobytes() for key in file.keys()}  # noqa: SIM118
    for name in ("config.json", "history.json"):
        contents[name] = without_times(json.loads((folder / name).read_text(encoding="utf-8")))
    return contents


def run(line: list[str], seconds: float | None) -> tuple[int | None, str]:
    """Run a command; kill it after `seconds`. Return the exit code, None if it was killed, and the error output."""
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        error = process.communicate(timeout=LIMIT if seconds is None else seconds)[1]
        return process.returncode, error
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None, "" if seconds is not None else f"no end after {LIMIT} s"


def killed(line: list[str], folder: Path, duration: float, draw: random.Random) -> tuple[int, str | None]:
    """Train with one to four kills; return the number of kills and what went wrong, or None."""
    resume = [*line[: line.index("train") + 1], "--resume", str(folder)]
    planned = draw.randint(1, 4)
    for kills in range(planned + 1):
        use = resume if (folder / "config.json").exists() else [*line, "--out", str(folder)]
        last = kills == planned
        # Importing takes most of the time, so half of the kills come near the end.
        code, error = run(use, None if last else duration * draw.choice((draw.random(), draw.uniform(0.7, 1.0))))
        if code == 0:
            return kills, None
        if code is not None or last:
            return kills, f"exit code {code} after {kills} kills: {error.strip()[-500:]}"
    raise AssertionError


def main() -> int:
    """Run the campaign."""
    campaign = Campaign("kill", __doc__)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    expected: dict[str, tuple[dict[str, Any], float]] = {}
    kills = 0
    with tempfile.TemporaryDirectory() as made:
        text = Path(made, "text.txt")
        text.write_text("the camera looks scarcely bad without noise overall\n" * 200, encoding="utf-8")
        for seed in campaign.trials():
            draw = random.Random(seed)
            kind = draw.choice(list(KINDS))
            line = command(KINDS[kind], text)
            if kind not in expected:
                start = time.monotonic()
                code, error = run([*line, "--out", str(Path(made, kind))], None)
                if code != 0:
                    campaign.report(found=f"uninterrupted: exit code {code}: {error[-500:]}", kind=kind, seed=seed)
                    continue
                expected[kind] = result(Path(made, kind)), time.monotonic() - start
            whole, duration = expected[kind]
            folder = Path(made, f"{kind}-{seed}")
            count, found = killed(line, folder, duration, draw)
            kills += count
            if found is None:
                again = result(folder)
                differ = sorted(key for key in whole.keys() | again.keys() if whole.get(key) != again.get(key))
                found = f"differs from the uninterrupted run: {', '.join(differ)}" if differ else None
            if found:
                campaign.report(found=found, kind=kind, seed=seed, kills=count)
            shutil.rmtree(folder, ignore_errors=True)
    print(f"kill: {kills} kills")
    return campaign.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
