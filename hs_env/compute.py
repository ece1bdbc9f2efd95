"""Set threads and memory use of a process, and derive seeds."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import zlib
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

import numpy as np
import torch

_PROCESS: Final = os.getpid()
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def prepare(threads: int) -> None:
    """Set the number of threads (0 keeps it), and let the process keep the memory of freed tensors.

    By default glibc returns large blocks to the system at once. Every batch then waits for new pages; this took a fifth
    of the time of an update.
    """
    if threads:
        torch.set_num_threads(threads)
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


P = ParamSpec("P")
T = TypeVar("T")


def fork_safe(call: Callable[P, T]) -> Callable[P, T]:
    """Decorator: in a forked child, run the call with one thread of torch.

    The threads of the parent do not exist in the child, so a call that shares its work among them waits forever. The
    number of threads is restored after the call.
    """

    @wraps(call)
    def safe(*args: P.args, **kwargs: P.kwargs) -> T:
        if os.getpid() == _PROCESS:
            return call(*args, **kwargs)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return call(*args, **kwargs)
        finally:
            torch.set_num_threads(threads)

    return safe


def seed_for(seed: int, *place: str | int) -> int:
    """Derive a seed from 0 to 2**63 - 1 for one place in a run. Seeds of different places are independent.

    Args:
        seed: Seed of the run, from 0.
        *place: Names and numbers (from 0) that identify the place, such as `"joint", epoch, batch`.
    """
    entropy = [seed, *(zlib.crc32(part.encode()) if isinstance(part, str) else part for part in place)]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator_for(seed: int, *place: str | int) -> torch.Generator:
    """Make a random generator on the CPU for one place in a run (see `seed_for`)."""
    return torch.Generator().manual_seed(seed_for(seed, *place))
