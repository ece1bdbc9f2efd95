"""Set threads and memory use of a process, and derive seeds."""

from __future__ import annotations

import ctypes
import multiprocessing
import multiprocessing.context
import os
import platform
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Final, ParamSpec, TypeVar

import numpy as np
import torch

# A child that imports this module first is a forked one too: the host process may have used threads of torch before.
_FORKED: Final = isinstance(multiprocessing.current_process(), getattr(multiprocessing.context, "ForkProcess", ()))
_PROCESS: Final = None if _FORKED else os.getpid()
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


def isolated(call: Callable[P, T]) -> Callable[P, T]:
    """Decorator: make a call independent of the settings of torch in the host process.

    During the call, new tensors are float32 and on the CPU unless the code names others. In a forked child, torch uses
    one thread: the threads of the parent do not exist there, so a call that shares its work among them waits forever.
    All settings are restored after the call.
    """

    @wraps(call)
    def independent(*args: P.args, **kwargs: P.kwargs) -> T:
        usual = torch.get_default_dtype() is torch.float32 and torch.empty(0).is_cpu
        if usual and os.getpid() == _PROCESS:
            return call(*args, **kwargs)
        with _own_settings():
            return call(*args, **kwargs)

    return independent


@contextmanager
def _own_settings() -> Iterator[None]:
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float32)
    if os.getpid() != _PROCESS:
        torch.set_num_threads(1)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)


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
