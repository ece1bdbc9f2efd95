"""Check saved weights against their configuration before a network is built, which could take minutes and gigabytes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from hs_env.errors import HsEnvError, shown

LOADING_ERRORS: Final = (
    KeyError,
    TypeError,
    ValueError,
    RuntimeError,
    AttributeError,
    IndexError,
    AssertionError,
    OverflowError,
    ArithmeticError,
    MemoryError,
)
"""Errors that building a network from a damaged description may raise."""

_LARGEST: Final = 10**7
"""Highest number in the description of a network."""


def check_weights(make: Callable[[], nn.Module], config: Mapping[str, Any], weights: Mapping[str, Any]) -> None:
    """Compare the shapes of saved weights with those of the network that `make` builds from `config`.

    The network is built without memory, on torch's device `meta`. Weights that the network does not have, and those
    that the caller replaces, are not compared here; `load_state_dict` refuses the former.

    Raises:
        HsEnvError: If a weight is missing or has another shape, or the configuration is not one of a network.
    """
    check_numbers(config)
    try:
        with warnings.catch_warnings(), torch.device("meta"), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")  # such as those about layers of width 0
            expected = make().state_dict()
    except NotImplementedError:  # a model of another package that cannot be built there
        return
    for name, tensor in expected.items():
        saved = weights.get(name)
        if isinstance(saved, Tensor) and saved.shape != tensor.shape:
            raise HsEnvError(
                f"the weights {name} have the shape {tuple(saved.shape)}, but the configuration wants "
                f"{tuple(tensor.shape)}"
            )
    largest = max((tensor.numel() for name, tensor in expected.items() if name not in weights), default=0)
    if largest > max(sum(each.numel() for each in weights.values() if isinstance(each, Tensor)), 10**6):
        raise HsEnvError("weights are missing")


def check_numbers(config: Any) -> None:
    """Check that the numbers in a network's description are finite and not huge, and that it is not nested deeply.

    Raises:
        HsEnvError: If one is not.
    """
    left = [(config, 0)]
    while left:
        value, depth = left.pop()
        if depth > 5:
            raise HsEnvError("its configuration is nested too deeply")
        if isinstance(value, Mapping):
            left += [(each, depth + 1) for each in value.values()]
        elif isinstance(value, list | tuple):
            if len(value) > 1000:
                raise HsEnvError("its configuration has a list of more than 1,000 values")
            left += [(each, depth + 1) for each in value]
        elif isinstance(value, int | float) and not -_LARGEST <= value <= _LARGEST:
            raise HsEnvError(f"its configuration has the number {shown(value)}")


def check_loading(load: Callable[[], Any]) -> None:
    """Call `load`, which builds networks and loads saved weights into them, without memory for the networks.

    Raises:
        RuntimeError: If a weight does not fit; other errors as `load` raises them.
    """
    try:
        with warnings.catch_warnings(), torch.device("meta"), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")  # copying to a network without memory does nothing
            load()
    except NotImplementedError:  # an agent that cannot be built there
        return
