"""Run configurations on a Ray cluster."""

from __future__ import annotations

import signal
import socket
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

from hs_env.errors import HsEnvError, missing_extra
from hs_env.experiments.runner import POLL_SECONDS, Ended, Launch, is_final, run_here
from hs_env.training.config import ResolvedConfig

try:
    import ray
except ImportError as error:
    raise missing_extra("Sweeps on Ray", "ray") from error


@contextmanager
def ray_cluster(address: str | None = None) -> Iterator[tuple[Launch, int]]:
    """Connect to a Ray cluster, and disconnect at the end, which stops what runs there.

    Every run is a task with a process of its own, and reserves a CPU per thread, and a GPU if its device is one. If its
    node dies, Ray starts it again on another one, where it continues from its checkpoint if both nodes share the file
    system of its folder. Every node needs hs-env.

    Args:
        address: Address of the cluster, such as "10.0.0.1:6379"; by default that of a cluster that runs on this
            machine, or else a new one of this machine.

    Yields:
        The function that launches a run on the cluster, and the cluster's number of CPUs.

    Raises:
        HsEnvError: If there is no cluster at the address.
    """
    try:
        _check(address)
        with _kept_handler():
            ray.init(address, log_to_driver=False, include_dashboard=None if address else False)
    except (OSError, ValueError, RuntimeError) as error:
        raise HsEnvError(f"There is no Ray cluster at {address}: {error}. Start one with: ray start --head") from error
    try:
        yield _launch, int(ray.cluster_resources().get("CPU", 1))
    finally:
        ray.shutdown()


@contextmanager
def _kept_handler() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces by one that ends the process at once."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _check(address: str | None) -> None:
    """Connect once to an address with a port: Ray ends the process if nothing listens there."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


def _launch(config: ResolvedConfig, folder: Path, stopped: threading.Event) -> Ended:
    """Run a configuration as a task, with absolute paths, because a node has another working folder."""
    gpus = int(config.device.startswith("cuda"))
    config = replace(config, device="cuda") if gpus else config  # a task sees only the GPU that it has reserved
    task = ray.remote(max_calls=1, num_cpus=max(config.threads, 1), num_gpus=gpus)(_work)
    try:
        found = task.remote(config.located(), folder.absolute())
        while not ray.wait([found], timeout=POLL_SECONDS)[0]:
            if stopped.is_set():
                ray.cancel(found, force=True)
        ended: Ended = ray.get(found)
    except ray.exceptions.RayError as error:
        return Ended(None, f"was lost: {' '.join(str(error).split())}", killed=True)
    return ended


def _work(config: ResolvedConfig, folder: Path) -> Ended:
    """Run a configuration in the process of a task."""
    log = Path(f"{folder}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        try:
            return Ended(run_here(config, folder))
        except (HsEnvError, OSError) as error:
            fault, final = " ".join(str(error).split()), is_final(error)
        except Exception as error:
            traceback.print_exc()
            fault, final = f"{type(error).__name__}: {error}", False
        print(fault, file=file)
        return Ended(None, fault, final=final)
