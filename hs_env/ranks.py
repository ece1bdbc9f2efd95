"""Train on several processes: which rows each one computes, their random numbers, and the sums over all of them.

`torchrun` starts the processes, and each has a number, its rank. All hold the same weights. Each computes its share of
the rows of a batch, and gradients and means are then reduced over the whole batch. Random numbers are drawn for the
whole batch, of which each process takes its rows. The result is that of one process, up to the order of sums. Only the
process of rank 0 writes files.

Without other processes, or outside `sharing`, everything here does nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from hs_env.errors import HsEnvError

T = TypeVar("T")
Along = Literal["words", "episodes"]
"""What the first axis of a tensor counts: words, or episodes with the same number for each sentence."""

_CPU: Final = torch.device("cpu")
_store: Any = None


class LostProcessError(HsEnvError):
    """Raised if another process of the same training has ended, or this one is told to end."""


# The processes -------------------------------------------------------------------------------------------------------


def started() -> int:
    """Return the number of processes that `torchrun` has started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def join() -> None:
    """Connect with the other processes that `torchrun` has started, if there are any.

    Tensors on a GPU are reduced by NCCL, and others by gloo.
    """
    global _store
    if started() == 1 or dist.is_initialized():
        return
    signal.signal(signal.SIGTERM, _told_to_end)
    _store, rank, count = next(rendezvous("env://"))
    gpus = torch.cuda.is_available() and dist.is_nccl_available()
    backend = "cpu:gloo,cuda:nccl" if gpus else "gloo"
    dist.init_process_group(backend, store=_store, rank=rank, world_size=count)


def leave() -> None:
    """Disconnect from the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def end() -> NoReturn:
    """End this process with status 1 at once: gloo may abort a process that leaves after another was lost."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def count() -> int:
    """Return the number of connected processes, this one included."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return the rank of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def local_rank() -> int:
    """Return the number of this process on its machine, from 0, which is that of its GPU."""
    return int(os.environ["LOCAL_RANK"]) if dist.is_initialized() else 0


def fails_first() -> bool:
    """Return whether no other process has failed before, so that one of them alone prints its error."""
    if _store is None:
        return os.environ.get("RANK", "0") == "0"  # all fail for the same reason
    try:
        return bool(_store.add("hs_env/failed", 1) == 1)
    except RuntimeError:  # the store has ended, too
        return True


def require_one(what: str) -> None:
    """Refuse to train on several processes.

    Args:
        what: Subject of the message, in the singular.

    Raises:
        HsEnvError: If there are several.
    """
    if count() > 1:
        raise HsEnvError(
            f"{what} cannot train on {count()} processes. The agent 'reinforce' with the estimators rloo, "
            "moving_average, self_critical, grpo and ppo can, as can 'fixed', and classifiers without a policy. "
            "Choose one of them, or train without torchrun (see docs/performance.md, Several processes)."
        )


def from_first(call: Callable[[], T]) -> T:
    """Call a function on rank 0 alone, and return its result on all ranks."""
    if count() == 1:
        return call()
    box = [call() if rank() == 0 else None]
    _all(dist.broadcast_object_list, box, device=_CPU)
    return box[0]  # type: ignore[return-value]


def _told_to_end(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise LostProcessError("Another process of this training has ended, or the training was cancelled.")


def _all(collective: Callable[..., object], *arguments: Any, **options: Any) -> None:
    """Do something with all processes at once.

    Raises:
        LostProcessError: If one of them has ended.
    """
    try:
        collective(*arguments, **options)
    except RuntimeError as error:
        raise LostProcessError("Another process of this training has ended.") from error


# Shares of a batch ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Share:
    """The sentences of a batch that this process computes.

    Attributes:
        lengths: (B,) int64 numbers of words of the whole batch, on the CPU.
        rows: int64 rows of this process in it, ascending, on the CPU.
    """

    lengths: Tensor
    rows: Tensor

    @property
    def is_whole(self) -> bool:
        """Whether every process computes all sentences, because there are fewer than processes."""
        return len(self.rows) == len(self.lengths)

    @property
    def weight(self) -> float:
        """Weight of a mean over this share in the mean over the batch; those of all processes sum to 1."""
        return 1 / count() if self.is_whole else len(self.rows) / len(self.lengths)

    def longest_first(self) -> Share:
        """Return the share of the batch in which the longest sentences come first, in the same order otherwise."""
        order = self.lengths.argsort(descending=True, stable=True)
        return Share(self.lengths[order], order.argsort()[self.rows].sort().values)

    def rows_along(self, along: Along, size: int) -> tuple[int, Tensor]:
        """Return the size of a first axis in the whole batch, and the places of this share on it.

        Args:
            along: What the axis counts.
            size: Its size in this share.
        """
        if along == "words":
            lengths = self.lengths[self.rows]
            starts = (self.lengths.cumsum(0) - self.lengths)[self.rows] - (lengths.cumsum(0) - lengths)
            return int(self.lengths.sum()), starts.repeat_interleave(lengths) + torch.arange(size, device=_CPU)
        each = size // len(self.rows)
        places = self.rows[:, None] * each + torch.arange(each, device=_CPU)
        return len(self.lengths) * each, places.flatten()


_share: Share | None = None
_drawn: tuple[int, Tensor] | None = None


def current() -> Share | None:
    """Return the share of this process in the batch that is computed now; None if it computes all of it."""
    return _share


@contextmanager
def sharing(lengths: Tensor) -> Iterator[Share | None]:
    """Share a batch among the processes: each takes every `count()`-th sentence, all of them if there are too few.

    Args:
        lengths: (B,) int64 numbers of words.
    """
    if count() == 1:
        yield None
        return
    whole = torch.arange(len(lengths), device=_CPU)
    with within(Share(lengths.cpu(), whole[rank() :: count()] if len(whole) >= count() else whole)) as share:
        yield share


@contextmanager
def within(share: Share | None) -> Iterator[Share | None]:
    """Context in which `share` is the current one."""
    global _share
    before, _share = _share, share
    try:
        yield share
    finally:
        _share = before


@contextmanager
def drawing(size: int, places: Tensor) -> Iterator[None]:
    """Return a context: random numbers are drawn for an axis of `size` rows, of which this process takes `places`."""
    global _drawn
    before, _drawn = _drawn, (size, places)
    try:
        yield
    finally:
        _drawn = before


def drawn(draw: Callable[[tuple[int, ...]], Tensor], shape: tuple[int, ...], along: Along | None = None) -> Tensor:
    """Draw random numbers for the whole batch, and return those of this process.

    Args:
        draw: Function that draws numbers of a shape.
        shape: Shape of those of this process.
        along: What the first axis counts, outside of `drawing`.

    Raises:
        HsEnvError: If it is unknown.
    """
    if _share is None:
        return draw(shape)
    if _drawn is None and along is None:
        require_one("A model or estimator that draws random numbers for no sentence")
        return draw(shape)
    size, places = _drawn if _drawn is not None else _share.rows_along(along or "words", shape[0])
    whole = draw((size, *shape[1:]))
    return whole[places.to(whole.device)]


class Dropout(nn.Dropout):
    """Dropout whose mask is drawn for the whole batch.

    Args:
        p: Probability of dropping a number.
        along: What the first axis of an input counts.
    """

    def __init__(self, p: float, along: Along) -> None:
        super().__init__(p)
        self.along = along

    def forward(self, input: Tensor) -> Tensor:
        """Drop numbers in training mode."""
        if _share is None or not self.training or not self.p:
            return super().forward(input)
        ones = drawn(lambda shape: super(Dropout, self).forward(input.new_ones(shape)), tuple(input.shape), self.along)
        return input * ones


# Sums over all processes ---------------------------------------------------------------------------------------------


def mean(value: Tensor) -> Tensor:
    """Return the mean over the whole batch of a value that is a mean over this share."""
    if _share is None:
        return value
    total = value.detach() * _share.weight
    _all(dist.all_reduce, total)
    return total


def variance(values: Tensor) -> Tensor:
    """Return the variance of the values of all rows of the batch."""
    if _share is None:
        return values.var(correction=0)
    return mean((values - mean(values.mean())).square().mean())


def means(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the means over the whole batch of numbers to log, whose names are the same on all processes."""
    if _share is None:
        return dict(metrics)
    values = mean(torch.tensor(list(metrics.values()), dtype=torch.float64, device=_CPU))
    return dict(zip(metrics, values.tolist(), strict=True))


def quotients(sums: Mapping[str, tuple[float, int]]) -> dict[str, float]:
    """Return sums divided by their counts, both over the whole batch; names whose count is 0 are left out."""
    totals = torch.tensor(list(sums.values()), dtype=torch.float64, device=_CPU)
    if _share is not None:
        _all(dist.all_reduce, totals)
    return {name: total / number for name, (total, number) in zip(sums, totals.tolist(), strict=True) if number}


def gathered(values: Tensor) -> Tensor:
    """Return the values of all episodes of the batch, (R, ...), from those of this share, one per episode."""
    if _share is None or _share.is_whole:
        return values
    size, places = _share.rows_along("episodes", len(values))
    whole = values.new_zeros(size, *values.shape[1:])
    whole[places.to(whole.device)] = values.detach()
    _all(dist.all_reduce, whole)
    return whole


def reduce_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace gradients of the mean over this share by those of the mean over the whole batch."""
    if _share is None:
        return
    trained = [each for each in parameters if each.requires_grad]
    # A parameter without a gradient on any process has none afterwards, since optimisers skip it.
    has = torch.tensor([each.grad is not None for each in trained], dtype=torch.int32, device=_CPU)
    _all(dist.all_reduce, has)
    trained = [each for each, used in zip(trained, has.tolist(), strict=True) if used]
    gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in trained]
    flat = mean(torch.cat([gradient.flatten() for gradient in gradients]))
    for each, part in zip(trained, flat.split([each.numel() for each in trained]), strict=True):
        each.grad = part.view_as(each)
