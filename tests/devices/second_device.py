"""A second device that needs no hardware: tensors that claim to be elsewhere, and whose values lie in CPU memory.

An operation on such a tensor and one of the CPU is an error, as with a GPU. So code that mixes devices, or forgets to
move something, fails on any machine. The name of the device is one that torch knows and nobody has here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_map_only

CPU = torch.device("cpu")
SECOND = torch.device("lazy:0")
"""The second device."""

_MOVING = ("_to_copy", "copy_")
_WAITING = ("_local_scalar_dense", "nonzero", "_unique2", "unique_dim", "bincount", "masked_select", "is_nonzero")
"""Operations whose result has a size or a value that the CPU has to wait for."""


class There(Tensor):
    """A tensor on the second device.

    Attributes:
        here: Its values, on the CPU.
    """

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> There:
        made = Tensor._make_wrapper_subclass(
            cls,
            here.size(),
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=SECOND,
        )
        made.here = here
        return made

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"There({self.here!r})"

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class SecondDevice(TorchDispatchMode):
    """Context in which tensors can be made on the second device.

    Attributes:
        waits: How often each operation made the CPU wait for the device, or moved values from there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> SecondDevice:
        self._patch.setattr(torch, "inference_mode", torch.no_grad)  # tensor subclasses do not support inference mode
        self._patch.setattr(nn.Module, "to", _moved)
        torch._C._set_only_lift_cpu_tensors(True)  # `torch.tensor` makes its tensor on the CPU, and then moves it
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        torch._C._set_only_lift_cpu_tensors(False)
        self._patch.undo()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        asked = any(isinstance(each, There) for each in _leaves((*args, *(kwargs or {}).values())))
        result = _run(func, args, kwargs or {})
        masked = name in ("index", "index_put", "index_put_") and _has_mask(args[1])
        if asked and (masked or name in _WAITING or (name == "_to_copy" and not isinstance(result, There))):
            self.waits[name] += 1
        return result


_to = nn.Module.to


def _moved(module: nn.Module, *where: Any, **more: Any) -> nn.Module:
    """Move a module, whose parameters stay the same objects, as on a GPU: an optimiser may hold them already."""
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        return _to(module, *where, **more)
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)


def _has_mask(indices: Any) -> bool:
    return any(each is not None and each.dtype == torch.bool for each in indices)


def _leaves(arguments: Iterable[Any]) -> Iterator[Any]:
    """Yield the arguments of an operation, and the members of those that are lists."""
    for each in arguments:
        if isinstance(each, list | tuple):
            yield from each
        else:
            yield each


def _here(value: Any) -> Any:
    """Return an argument with the values of its tensors, and the CPU in place of the second device."""
    if isinstance(value, There):
        return value.here
    if isinstance(value, list | tuple):
        return type(value)(_here(each) for each in value)
    return CPU if isinstance(value, torch.device) and value == SECOND else value


@cache
def _returns_views(func: Any) -> bool:
    return any(each.alias_info is not None for each in func._schema.returns)


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    name = func.overloadpacket.__name__
    leaves = [*_leaves(args), *_leaves(kwargs.values())]
    there = any(isinstance(each, There) for each in leaves)
    asked = next((each for each in leaves if isinstance(each, torch.device)), None)
    # As on a GPU, a single number, and the indices of a tensor of the CPU or of the other device, may be elsewhere.
    free = name in _MOVING or name in ("index", "index_put", "index_put_", "_index_put_impl_")
    if there and not free:
        others = [each for each in leaves if isinstance(each, Tensor) and not isinstance(each, There) and each.ndim]
        if others:
            raise RuntimeError(f"{func} takes tensors of two devices")
    if name == "index" and not isinstance(args[0], There) and there:
        raise RuntimeError(f"{func} takes indices of another device")
    result = func(*map(_here, args), **{key: _here(value) for key, value in kwargs.items()})
    if asked is not None:
        there = asked.type == SECOND.type
    elif name == "copy_":
        there = isinstance(args[0], There)
    if name == "_local_scalar_dense" or not there:
        return args[0] if name == "copy_" else result
    wrapped = There(result) if isinstance(result, Tensor) else tree_map_only(Tensor, There, result)
    if asked is None and _returns_views(func):
        return return_and_correct_aliasing(func, args, kwargs, wrapped)
    return wrapped
