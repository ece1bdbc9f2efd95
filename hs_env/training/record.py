"""Record the versions, the machine and the git state of a process that trains."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import hs_env
from hs_env.compute import CPU, describe_device

_RECORDED = ("torch", "numpy", "gymnasium", "stable-baselines3", "safetensors", "transformers")


def describe(device: torch.device = CPU) -> dict[str, Any]:
    """Describe this process, which trains on `device`, for the record of a run.

    Returns:
        Versions, machine, device, precision, number of threads, git state and command line, as JSON values.
    """
    return {
        "hs_env": hs_env.__version__,
        "python": platform.python_version(),
        "packages": {name: version for name in _RECORDED if (version := _version(name))},
        "machine": platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),  # rounding depends on them
        "system": platform.platform(),
        **describe_device(device),
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
    """Return the commit and whether files differ from it; None outside a checkout, or if git fails."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        return subprocess.check_output(["git", "-C", root, *arguments], text=True, stderr=subprocess.DEVNULL).strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None
