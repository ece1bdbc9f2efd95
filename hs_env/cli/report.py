"""The command `hs-env report`."""

from __future__ import annotations

from pathlib import Path

import tyro
from rich.console import Console

from hs_env.cli.common import Split
from hs_env.errors import HsEnvError
from hs_env.storage import write_atomically


def report(
    runs: tyro.conf.Positional[tuple[Path, ...]],
    out: Path,
    split: Split = "test",
    oracle: int = 0,
    device: str = "auto",
) -> None:
    """Write an HTML page about runs: tables, curves, sentences.

    Args:
        runs: Folders of runs.
        out: File to write, which must not exist yet.
        split: Sentences to evaluate on.
        oracle: Width of the beam search for the best actions (see `hs-env evaluate`); 0 skips it.
        device: Device: cpu, cuda, cuda:1, mps, or auto for a CUDA GPU if there is one.
    """
    from hs_env.report import make_report

    taken = f"{out} exists already. Remove it, or write to another file."
    if out.exists():
        raise HsEnvError(taken)
    page = make_report(runs, split, Console(stderr=True), oracle, device)
    try:
        write_atomically(out, page.encode(), replace=False)
    except FileExistsError:  # another process has written it meanwhile
        raise HsEnvError(taken) from None
    print(f"The report is in {out}")
