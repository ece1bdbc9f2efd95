"""The process that trains: threads, memory, and a record of what it ran on."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import hs_env

_RECORDED = ("torch", "numpy", "gymnasium", "stable-baselines3", "safetensors", "transformers")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def prepare(threads: int) -> None:
    """Set the number of threads (0 leaves it) and let the process keep the memory of large tensors.

    glibc hands large blocks back to the system at once, so that every batch pays for fresh pages again: a fifth of the
    time of an update here.
    """
    if threads:
        torch.set_num_threads(threads)
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def describe() -> dict[str, Any]:
    """Versions, machine and git state, as JSON values."""
    return {
        "hs_env": hs_env.__version__,
        "python": platform.python_version(),
        "packages": {name: version for name in _RECORDED if (version := _version(name))},
        "machine": platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),  # sums are rounded as these take them
        "system": platform.platform(),
        "threads": torch.get_num_threads(),
        "git": _git_state(),
        "command": sys.argv,
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_state() -> dict[str, Any] | None:
    """Commit and whether files were changed, or None outside a checkout of this project."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        commit = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        status = subprocess.run(
            ["git", "-C", root, "status", "--porcelain"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit.stdout.strip(), "changed": bool(status.stdout.strip())}
