"""Find devices, move data between them and NumPy, draw random numbers, and set threads and memory use of a process.

Random numbers that decide anything are drawn on the CPU and then moved, so that every device gets the same ones.
Dropout is drawn on the device. This module is the only one that converts between tensors and NumPy arrays, and that
makes random generators.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import multiprocessing.context
import os
import platform
import re
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from typing import Any, Final, Literal, ParamSpec, TypeVar, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hs_env import ranks
from hs_env.errors import HsEnvError

Device = str | torch.device
"""A device: "auto", "cpu", "cuda", "cuda:N" or "mps"; a `torch.device` is taken as it is."""

CPU: Final = torch.device("cpu")

# A child that imports this module first is a forked one too: the host process may have used threads of torch before.
_FORKED: Final = isinstance(multiprocessing.current_process(), getattr(multiprocessing.context, "ForkProcess", ()))
_PROCESS: Final = None if _FORKED else os.getpid()
_DEVICE: Final = re.compile(r"auto|cpu|cuda(:\d{1,3})?|mps")
_CASTING: Final = ("cpu", "cuda")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def prepare(threads: int) -> None:
    """Set the number of threads (0 keeps it), and let the process keep the memory of freed tensors.

    A forked child keeps its one thread (see `isolated`).

    By default glibc returns large blocks to the system at once. Every batch then waits for new pages; this took a fifth
    of the time of an update.
    """
    if threads and not _in_fork():
        torch.set_num_threads(threads)
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


P = ParamSpec("P")
T = TypeVar("T")


def isolated(call: Callable[P, T]) -> Callable[P, T]:
    """Decorator: make a call independent of the settings of torch in the host process.

    During the call, new tensors are float32 unless the code names another dtype, and autocast is off. In a forked
    child, torch uses one thread: the threads of the parent do not exist there, so a call that shares its work among
    them waits forever. All settings are restored after the call. The default device of the host does not matter: the
    package names a device for every tensor that it makes.
    """

    @wraps(call)
    def independent(*args: P.args, **kwargs: P.kwargs) -> T:
        if torch.get_default_dtype() is torch.float32 and not _in_fork() and not any(map(_casts, _CASTING)):
            return call(*args, **kwargs)
        with _own_settings():
            return call(*args, **kwargs)

    return independent


@contextmanager
def _own_settings() -> Iterator[None]:
    dtype, threads, casting = torch.get_default_dtype(), torch.get_num_threads(), [*filter(_casts, _CASTING)]
    torch.set_default_dtype(torch.float32)
    if _in_fork():
        torch.set_num_threads(1)
    for device in casting:
        torch.set_autocast_enabled(device, False)
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        for device in casting:
            torch.set_autocast_enabled(device, True)


def _in_fork() -> bool:
    """Tell whether this process is a forked child of one that may have used several threads of torch."""
    return os.getpid() != _PROCESS


def _casts(device: str) -> bool:
    """Tell whether autocast is on for a kind of device."""
    return torch.is_autocast_enabled(device)


@contextmanager
def learning(precision: Precision | None, threads: int) -> Iterator[None]:
    """Return a context for training, in which gradients are computed.

    Trainings in several threads of a process take turns, because they share the global generators of torch.

    Args:
        precision: Precision of products of matrices; see `multiplying`.
        threads: Number of threads of torch until the end of the context; 0 keeps it.
    """
    with _TURN, torch.inference_mode(False), torch.enable_grad(), multiplying(precision):
        before = torch.get_num_threads()
        prepare(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


_TURN = threading.RLock()


def _renew_turn() -> None:
    """Replace the lock in a forked child: a thread that exists only in the parent may hold it."""
    global _TURN
    _TURN = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_turn)


# Precision -----------------------------------------------------------------------------------------------------------

Precision = Literal["highest", "high", "medium"]
"""Precision of products of float32 matrices, by the names of `torch.set_float32_matmul_precision`."""


def check_precision(name: str | None) -> None:
    """Check that `name` is a `Precision`, or None.

    Raises:
        HsEnvError: If it is not.
    """
    if name is not None and name not in get_args(Precision):
        raise HsEnvError(f"The precision is {name!r}, expected {', '.join(get_args(Precision))}.")


@contextmanager
def multiplying(precision: Precision | None) -> Iterator[None]:
    """Return a context with this precision of products of matrices; None keeps that of the process."""
    before = torch.get_float32_matmul_precision()
    if precision is not None:
        torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def casting(device: torch.device) -> AbstractContextManager[None]:
    """Return a context in which a large network computes in bfloat16 throughout, if it learns with "medium" precision.

    Lower precision of the products alone gains little, because both operands of each product have to be converted.
    """
    lower = torch.get_float32_matmul_precision() == "medium" and torch.is_grad_enabled()
    return torch.autocast(device.type, torch.bfloat16) if lower else nullcontext()


# Devices -------------------------------------------------------------------------------------------------------------


def check_device(name: Device) -> None:
    """Check that `name` is the name of a device, which this machine need not have.

    Raises:
        HsEnvError: If it is not.
    """
    if not isinstance(name, torch.device) and not (isinstance(name, str) and _DEVICE.fullmatch(name)):
        raise HsEnvError(f"The device is {name!r}, expected auto, cpu, cuda, cuda:N or mps.")


def find_device(name: Device) -> torch.device:
    """Return the device of this name; "auto" is the first CUDA GPU if there is one, and else the CPU.

    If several processes train together, "auto" and "cuda" are the process's own GPU (see `hs_env.ranks`).

    Raises:
        HsEnvError: If the name is no device's, or this machine has no such device; the message lists what it has.
    """
    check_device(name)
    if isinstance(name, torch.device):
        return name
    found, own = available_devices(), f"cuda:{ranks.local_rank()}"
    if name in ("auto", "cuda") and "cuda:0" in found and own not in found:
        gpus = sum(each.startswith("cuda") for each in found)
        raise HsEnvError(
            f"Each process needs a GPU of its own, and this machine has {gpus}. Start at most {gpus} "
            "processes here, or choose the device cpu."
        )
    if name == "auto":
        return torch.device(own if "cuda:0" in found else "cpu")
    if ranks.count() > 1 and name.startswith("cuda:"):
        raise HsEnvError(f"Each process trains on its own GPU, and {name!r} is one for all. Choose the device cuda.")
    if (full := own if name == "cuda" else name) not in found:
        build = "" if torch.cuda.is_available() or torch.version.cuda else " This PyTorch is built without CUDA."
        raise HsEnvError(f"There is no device {name!r} here. Available: {', '.join(found)}.{build}")
    return torch.device(full)


def available_devices() -> list[str]:
    """Return the names of the devices of this machine."""
    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])]


def device_of(module: nn.Module) -> torch.device:
    """Return the device of a module's first parameter; the CPU for a module without any."""
    return next((parameter.device for parameter in module.parameters()), CPU)


def describe_device(device: torch.device) -> dict[str, str]:
    """Return name and precision of a device, for the record of a run."""
    hardware = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    precision = torch.get_float32_matmul_precision()
    return {"device": f"{device}{hardware}", "precision": f"float32, {precision} precision of matrix products"}


def making_on(device: torch.device = CPU) -> AbstractContextManager[Any]:
    """Return a context in which tensors that name no device are on `device`.

    It is for constructors of modules, and for code of other libraries such as the optimisers of torch.
    """
    return nullcontext() if torch.empty(0).device.type == device.type else device


# Tensors and arrays --------------------------------------------------------------------------------------------------


def to_array(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor as an array, which shares its memory if it is on the CPU."""
    return (tensor if tensor.is_cpu and not tensor.requires_grad else tensor.detach().cpu()).numpy()


def from_array(array: NDArray[Any], device: torch.device = CPU) -> Tensor:
    """Return an array as a tensor on `device`, which shares its memory on the CPU. A CUDA device is not waited for."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


# Random numbers ------------------------------------------------------------------------------------------------------


def seed_for(seed: int, *place: str | int) -> int:
    """Derive a seed from 0 to 2**63 - 1 for one place in a run. Seeds of different places are independent.

    This holds for places with the same number of parts whose numbers are below 2**32.

    Args:
        seed: Seed of the run, from 0.
        *place: Names and numbers (from 0) that identify the place, such as `"joint", epoch, batch`.
    """
    entropy = [seed, *(zlib.crc32(part.encode()) if isinstance(part, str) else part for part in place)]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator_for(seed: int, *place: str | int) -> torch.Generator:
    """Make a random generator on the CPU for one place in a run (see `seed_for`)."""
    return seeded(seed_for(seed, *place))


def seeded(seed: int) -> torch.Generator:
    """Make a random generator on the CPU."""
    return torch.Generator("cpu").manual_seed(seed)


def uniform(
    shape: int | Sequence[int],
    generator: torch.Generator | None,
    device: torch.device,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Draw numbers from 0 to 1 on the CPU, by default from its global generator, and move them to `device`."""
    size = (shape,) if isinstance(shape, int) else tuple(shape)
    drawn = ranks.drawn(lambda whole: torch.rand(whole, generator=generator, dtype=dtype, device=CPU), size)
    return drawn.to(device, non_blocking=device.type == "cuda")  # MPS would read memory that is free by then


def permutation(count: int, generator: torch.Generator) -> Tensor:
    """Draw an order of `count` things, (count,) int64, on the CPU."""
    return torch.randperm(count, generator=generator, device=CPU)


@contextmanager
def kept_generators(device: torch.device = CPU, seed: int | None = None) -> Iterator[None]:
    """Context after which the global random generators of the CPU and of `device` are as they were before.

    Args:
        device: Device.
        seed: Seed of the CPU's generator in the context; None continues it.
    """
    others = [device] if device.type in ("cuda", "mps") else []
    with torch.random.fork_rng(others, device_type=device.type if others else "cuda"):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        yield
