"""Kill commands at random moments and repeat them: the result must equal that of an uninterrupted command.

`train` and `lm train` are resumed, `evaluate`, `report` and a sweep are given again, and perhaps killed again. After a
kill no file may be half written, and no line of a ledger lost. In the end all files must be equal, weights bit for bit
and histories without their times.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from campaign import Campaign
from jobs import JOBS, Job, differences, faults, folder_for, prepare, result

KINDS: Final = ("train", "flat", "lm", "evaluate", "report", "sweep")
PROGRAMS: Final = {"hs-env": ["-m", "hs_env"]}
LIMIT: Final = 600
"""Seconds after which a process counts as one that hangs."""


def run(words: list[str], seconds: float | None, group: bool = True) -> tuple[int | None, str]:
    """Run a command; kill it after `seconds`, by default with its children.

    Returns:
        Exit code, None if it was killed, and the error output.
    """
    line = [sys.executable, *PROGRAMS[words[0]], *words[1:]]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as error:  # children keep a pipe open
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=error, start_new_session=True)
        try:
            process.wait(LIMIT if seconds is None else seconds)
        except subprocess.TimeoutExpired:
            if group:
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
            return None, "" if seconds is not None else f"no end after {LIMIT} s"
        error.seek(0)
        return process.returncode, error.read()


def killed(job: Job, folder: Path, place: Path, duration: float, draw: random.Random) -> tuple[int, str | None]:
    """Run a job with one to four kills; return the number of kills and what went wrong, or None."""
    planned, before = draw.randint(1, 4), set[str]()
    for kills in range(planned + 1):
        # Importing takes most of the time, so half of the kills come near the end.
        seconds = None if kills == planned else duration * draw.choice((draw.random(), draw.uniform(0.7, 1.0)))
        code, error = run(job.words(folder, place), seconds, draw.random() < 0.7)
        now = results(folder)
        if found := [*faults(folder), *(f"lost from the ledger: {line}" for line in before - now)]:
            return kills, "; ".join(found)
        before = now
        if code == 0 and seconds is None:
            return kills, None
        if code not in (0, None) or seconds is None:
            return kills, f"exit code {code} after {kills} kills: {error.strip()[-500:]}"
    raise AssertionError


def results(folder: Path) -> set[str]:
    """Return the whole lines of the ledgers in a folder."""
    ledgers = [path.read_text(encoding="utf-8") for path in folder.rglob("ledger.jsonl")]
    return {line for text in ledgers for line in text.splitlines(keepends=True) if line.endswith("\n")}


def main() -> int:
    """Run the campaign."""
    campaign = Campaign("kill", __doc__, kinds=KINDS)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    expected: dict[str, tuple[dict[str, Any], float]] = {}
    kills = 0
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        prepare(place)
        finished = place / "finished" / "run"
        if any(JOBS[kind].needs_run for kind in campaign.kinds):
            run(JOBS["train"].words(finished.parent, place), None)
        for seed in campaign.trials():
            draw = random.Random(seed)
            kind = draw.choice(campaign.kinds)
            job, folder = JOBS[kind], place / "folder"  # always the same name, for configurations hold paths
            if kind not in expected:
                folder_for(job, folder, finished)
                start = time.monotonic()
                code, error = run(job.words(folder, place), None)
                expected[kind] = result(folder), time.monotonic() - start
                shutil.rmtree(folder)
                if code != 0:
                    campaign.report(found=f"uninterrupted: exit code {code}: {error[-500:]}", kind=kind, seed=seed)
            whole, duration = expected[kind]
            folder_for(job, folder, finished)
            count, found = killed(job, folder, place, duration, draw)
            kills += count
            if found := found or differences(whole, result(folder)):
                campaign.report(found=found, kind=kind, seed=seed, kills=count)
            shutil.rmtree(folder, ignore_errors=True)
    print(f"kill: {kills} kills")
    return campaign.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
