"""What is saved comes back, and is never half written."""

from __future__ import annotations

import os

import pytest
import safetensors.torch
import torch

from hs_env.errors import HsEnvError
from hs_env.storage import load_state, read_json, save_state, write_atomically, write_json


def test_nested_state_survives(tmp_path):
    weight = torch.randn(3, 2)
    state = {"a": weight, "optimizer": {0: {"step": torch.tensor(3.0)}, 1: None}, "list": [1, "zwei", weight.t()]}
    save_state(tmp_path / "x.safetensors", "thing", state)
    loaded = load_state(tmp_path / "x.safetensors", "thing")
    assert torch.equal(loaded["a"], weight)
    assert loaded["optimizer"][0]["step"] == 3
    assert loaded["optimizer"][1] is None
    assert loaded["list"][:2] == [1, "zwei"]
    assert torch.equal(loaded["list"][2], weight.t())


def test_a_file_is_one_of_safetensors_whatever_the_types(tmp_path):
    """Types of all sizes, an empty tensor, a number, a view, and two names of the same memory."""
    one = torch.arange(12, dtype=torch.float32).view(3, 4)
    tensors = {
        "a": one,
        "b": one,
        "view": one[:, 1],
        "half": one.bfloat16(),
        "int8": one.to(torch.int8),
        "int64": one.long(),
        "bool": one > 3,
        "empty": one[:0],
        "number": torch.tensor(2.5, dtype=torch.float64),
    }
    save_state(tmp_path / "x.safetensors", "thing", tensors)
    loaded = load_state(tmp_path / "x.safetensors", "thing")
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)
    others = safetensors.torch.load_file(tmp_path / "x.safetensors")
    assert sorted(map(str, others.values())) == sorted(map(str, tensors.values()))
    assert all(tensor.data_ptr() % tensor.element_size() == 0 for tensor in others.values())


def test_half_a_surrogate_pair_survives(tmp_path):
    save_state(tmp_path / "x.safetensors", "thing", {"a": "\ud800"})
    assert load_state(tmp_path / "x.safetensors", "thing") == {"a": "\ud800"}
    write_json(tmp_path / "x.json", ["\ud800", "é"])
    assert read_json(tmp_path / "x.json") == ["\ud800", "é"]


def test_keys_that_look_alike_stay_apart(tmp_path):
    one, two, three = torch.tensor(1.0), torch.tensor(2.0), torch.tensor(3.0)
    state = {"a": {"b": one}, "a.b": two, 1: two, "1": three, "__metadata__": one}
    save_state(tmp_path / "x.safetensors", "thing", state)
    assert load_state(tmp_path / "x.safetensors", "thing") == state


@pytest.mark.parametrize("header", ["{", "[1]", "{}", '{"__tensor__": "y"}', '{"__items__": 5}', "[" * 100_000])
def test_a_strange_header_is_a_clear_error(tmp_path, header):
    content = safetensors.torch.save({"x": torch.zeros(1)}, {"kind": "thing", "state": header})
    write_atomically(tmp_path / "x.safetensors", content)
    with pytest.raises(HsEnvError, match="not a readable thing"):
        load_state(tmp_path / "x.safetensors", "thing")


def test_an_optimizer_goes_on_as_if_never_saved(tmp_path):
    def make():
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 1)
        return layer, torch.optim.Adam(layer.parameters(), 0.1)

    def steps(layer, optimizer, count):
        for number in range(count):
            optimizer.zero_grad()
            layer(torch.full((2, 3), 1.0 + number)).square().sum().backward()
            optimizer.step()

    layer, optimizer = make()
    steps(layer, optimizer, 2)
    save_state(tmp_path / "o.safetensors", "thing", {"layer": layer.state_dict(), "optimizer": optimizer.state_dict()})
    steps(layer, optimizer, 2)
    other, other_optimizer = make()
    loaded = load_state(tmp_path / "o.safetensors", "thing")
    other.load_state_dict(loaded["layer"])
    other_optimizer.load_state_dict(loaded["optimizer"])
    steps(other, other_optimizer, 2)
    assert torch.equal(layer.weight, other.weight)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(path, {"old": 1})
    old = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_json(path, {"new": 2})
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "There is no thing"), (b"", "not a readable thing"), (b"\x80\x04pickle", "not a readable thing")],
)
def test_bad_files(tmp_path, content, message):
    path = tmp_path / "x.safetensors"
    if content is not None:
        write_atomically(path, content)
    with pytest.raises(HsEnvError, match=message):
        load_state(path, "thing")


def test_a_file_of_another_kind(tmp_path):
    save_state(tmp_path / "x.safetensors", "agent", {})
    with pytest.raises(HsEnvError, match="holds 'agent', expected 'classifier'"):
        load_state(tmp_path / "x.safetensors", "classifier")
