"""Devices by name, and the one room for all that a test of devices does not see."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from hs_env.compute import (
    available_devices,
    find_device,
    from_array,
    kept_generators,
    multiplying,
    seeded,
    to_array,
    uniform,
)
from hs_env.errors import HsEnvError
from hs_env.language import LMConfig
from hs_env.training import TrainConfig

ROOT = Path(__file__).parents[1]
ROOM = ROOT / "hs_env/compute.py"
MODULES = sorted(
    path for folder in ("hs_env", "agents", "rewards") for path in (ROOT / folder).rglob("*.py") if path != ROOM
)
FACTORIES = {"arange", "as_tensor", "empty", "eye", "full", "linspace", "ones", "randint", "tensor", "zeros"}
"""Functions of torch that make tensors on the default device if none is named."""
CONSTRUCTORS = {"__init__", "build", "reset_parameters"}
"""Methods of modules, which are called on a device (`making_on`)."""
FORBIDDEN = {"from_numpy", "Generator", "fork_rng", "rand", "randn", "randperm", "manual_seed_all", "cuda", "mps"}
"""Names in torch that the room has functions for. A default device does not change them, so no test would see them."""


def breaches(source: str) -> list[str]:
    """What a module does that only `hs_env.compute` may do."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr == "numpy":
            found.append(f"line {node.lineno}: .numpy(), use to_array")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in FORBIDDEN:
            root = node.func.value
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id == "torch":
                found.append(f"line {node.lineno}: torch.{node.func.attr}(), use a function of hs_env.compute")
    return found


def without_device(source: str) -> list[str]:
    """The calls outside of constructors that make a tensor and name no device."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in CONSTRUCTORS]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr=name)) if name in FACTORIES:
                named = any(keyword.arg in ("device", "out", None) for keyword in node.keywords)
                found += [] if named or id(node) in inside else [f"line {node.lineno}: {ast.unparse(node)}"]
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_tensor_is_made_on_a_named_device(module: Path) -> None:
    assert without_device(module.read_text(encoding="utf-8")) == []


def test_tensors_without_a_device_are_found() -> None:
    assert len(without_device("x = torch.zeros(2)\ndef f():\n    return torch.tensor([1])")) == 2
    assert without_device("def build(self): torch.zeros(2)\ntorch.ones(3, device=CPU)\ntorch.zeros_like(x)") == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_one_room_converts_arrays_and_makes_generators(module: Path) -> None:
    assert breaches(module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    ["x.numpy()", "x.numpy(force=True)", "torch.from_numpy(a)", "torch.Generator()", "torch.random.fork_rng()"],
)
def test_breaches_are_found(source: str) -> None:
    assert len(breaches(source)) == 1


def test_devices_have_names() -> None:
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto") == torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    assert find_device(torch.device("meta")).type == "meta"
    assert "cpu" in available_devices()


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:-1", "", "CPU", "meta", 0, None])
def test_an_unknown_device_is_an_error(name: object) -> None:
    with pytest.raises(HsEnvError, match=r"The device is .*, expected auto, cpu, cuda, cuda:N or mps\."):
        find_device(name)  # type: ignore[arg-type]


def test_an_unavailable_device_is_an_error_that_names_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HsEnvError, match=r"There is no device 'cuda:99' here\. Available: cpu"):
        find_device("cuda:99")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(find_device(name)) for name in ("auto", "cuda", "cuda:1", "cpu")] == [
        "cuda:0",
        "cuda:0",
        "cuda:1",
        "cpu",
    ]
    with pytest.raises(HsEnvError, match="Available: cpu, cuda:0, cuda:1"):
        find_device("cuda:2")


def test_random_numbers_are_those_of_torch() -> None:
    generator = torch.Generator().manual_seed(3)
    assert torch.equal(uniform((4, 5), seeded(3), torch.device("cpu")), torch.rand(4, 5, generator=generator))


def test_generators_are_kept() -> None:
    before = torch.get_rng_state()
    with kept_generators(seed=5):
        first = torch.rand(3)
    with kept_generators(seed=5):
        assert torch.equal(torch.rand(3), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_arrays_share_memory_with_tensors_of_the_cpu() -> None:
    array = np.zeros(3)
    from_array(array)[0] = 1
    tensor = torch.zeros(3, requires_grad=True)
    assert array[0] == 1
    assert to_array(tensor).tolist() == [0, 0, 0]


def test_precision_of_products_holds_in_its_context_only() -> None:
    """The precision of the host process is restored, also after an error; None keeps it."""

    def fail() -> None:
        with multiplying("medium"):
            assert torch.get_float32_matmul_precision() == "medium"
            with multiplying(None):
                assert torch.get_float32_matmul_precision() == "medium"
            raise KeyError

    assert torch.get_float32_matmul_precision() == "highest"
    with pytest.raises(KeyError):
        fail()
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("config", [TrainConfig, LMConfig])
def test_unknown_precision_is_refused(config: type[TrainConfig] | type[LMConfig]) -> None:
    with pytest.raises(HsEnvError, match="precision is 'low', expected highest, high, medium"):
        config(precision="low")  # type: ignore[arg-type]
