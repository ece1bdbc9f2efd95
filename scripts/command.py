"""Run the `main` of a script; an error that the user can correct ends it with a message, as in `hs-env`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import tyro

from hs_env.errors import HsEnvError


def run_script(main: Callable[..., object]) -> None:
    """Call `main` with the arguments of the process."""
    try:
        tyro.cli(main)
    except (HsEnvError, OSError) as error:
        raise SystemExit(f"{Path(sys.argv[0]).stem}: {error}") from None
