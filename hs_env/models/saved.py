"""Check saved states before they are used.

Weights are compared with their configuration before a network is built, which could take minutes and gigabytes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from hs_env.compute import kept_generators
from hs_env.errors import HsEnvError, expand, path_text, shown
from hs_env.registry import unknown_name
from hs_env.shipped import CLASSIFIER, LANGUAGE_MODEL, shipped_folders, warn_of_folder
from hs_env.storage import StrPath

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


_NO_MEMORY: Final = ("allocate memory", "out of memory", "not enough memory", "ALLOC_FAILED")
"""Words of torch's errors, on all its devices."""


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether an error says that memory is used up, which no file is to blame for."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in str(error) for words in _NO_MEMORY)


_LARGEST: Final = 10**7
"""Highest number in the description of a network."""


def find_file(run: StrPath, file_name: str, kind: str) -> Path:
    """Return the file of a run that holds its classifier, agent or language model.

    Args:
        run: Name of a run that ships with the package, the folder of a run, or the file itself.
        file_name: Name of the file in such a folder.
        kind: What the file holds, for the message, such as "classifier".

    Raises:
        HsEnvError: If `run` looks like the name of a shipped run and there is none with such a file.
    """
    name = path_text(run, f"The {kind}")
    shipped = shipped_folders(file_name)
    path = shipped.get(name, expand(name))
    if name in shipped:
        warn_of_folder(name, kind)
    if path.is_dir():
        return path / file_name
    if not path.exists() and not path.suffix and len(path.parts) == 1:
        if any(name in shipped_folders(other) for other in (CLASSIFIER, LANGUAGE_MODEL)):
            raise HsEnvError(f"The run {name!r} that ships with hs-env has no {kind}.")
        raise unknown_name(kind, name, shipped)
    return path


def check_weights(make: Callable[[], nn.Module], config: Mapping[str, Any], weights: Mapping[str, Any]) -> None:
    """Compare the shapes of saved weights with those of the network that `make` builds from `config`.

    The network is built without memory, on torch's device `meta`. Weights that the network does not have, and those
    that the caller replaces, are not compared here; `load_state_dict` refuses the former.

    Raises:
        HsEnvError: If a weight is missing or has another shape, or the configuration is not one of a network.
    """
    check_numbers(config)
    try:
        with warnings.catch_warnings(), torch.device("meta"), kept_generators():
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

    What computes with the weights cannot be called there, and is not checked.

    Raises:
        RuntimeError: If a weight does not fit; other errors as `load` raises them.
    """
    try:
        with warnings.catch_warnings(), torch.device("meta"), kept_generators():
            warnings.simplefilter("ignore")  # copying to a network without memory does nothing
            load()
    except (NotImplementedError, RuntimeError, TypeError) as error:
        if not isinstance(error, NotImplementedError) and "meta" not in str(error):
            raise


def check_optimizer(optimizer: torch.optim.Optimizer) -> None:
    """Check that the state of an optimiser, loaded from a file, fits its parameters.

    Raises:
        HsEnvError: If a value has another shape than its parameter, or a setting has another type than its default.
    """
    for group in optimizer.param_groups:
        for name, default in optimizer.defaults.items():
            if not _alike(group.get(name), default):
                raise HsEnvError(f"the setting {name} of an optimiser is {shown(group.get(name))}")
    shapes = {parameter: parameter.shape for group in optimizer.param_groups for parameter in group["params"]}
    names = {name for values in optimizer.state.values() if isinstance(values, dict) for name in values}
    for parameter, values in optimizer.state.items():
        if parameter not in shapes or not isinstance(values, dict):
            raise HsEnvError("an optimiser has a state without a parameter")
        if (
            "step" not in values
            or names != values.keys()
            or not all(
                isinstance(value, Tensor) and value.is_floating_point() and value.shape in (shapes[parameter], ())
                for name, value in values.items()
                if name != "step" or type(value) is not int  # some optimisers count in whole numbers
            )
        ):
            raise HsEnvError(f"the state of an optimiser does not fit a parameter of shape {tuple(shapes[parameter])}")


def _alike(value: Any, default: Any) -> bool:
    """Tell whether a loaded setting has the type of its default. JSON turns tuples into lists."""
    if isinstance(default, tuple | list):
        return isinstance(value, tuple | list) and len(value) == len(default) and all(map(_alike, value, default))
    if isinstance(default, bool) or default is None:
        return value is None or isinstance(value, bool)
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
