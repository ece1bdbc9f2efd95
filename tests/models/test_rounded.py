"""Weights of 8 bits: near the original, a quarter of the size, and float32 again once loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hs_env.errors import HsEnvError
from hs_env.models import HSLSTM, Classifier
from hs_env.models.rounded import to_float32, to_int8
from hs_env.storage import load_state, save_state
from tests.envs.builders import make_classifier


def test_a_weight_changes_by_half_a_step_at_most() -> None:
    weights = {"matrix": torch.randn(20, 30) * torch.logspace(-6, 6, 20)[:, None], "bias": torch.randn(4)}
    restored = to_float32(to_int8(weights))
    step = weights["matrix"].abs().amax(1, keepdim=True) / 127
    assert ((restored["matrix"] - weights["matrix"]).abs() <= step * 0.5001).all()
    assert restored["bias"] is weights["bias"]
    assert {weight.dtype for weight in restored.values()} == {torch.float32}


def test_rows_of_zeros_stay_zero() -> None:
    restored = to_float32(to_int8({"matrix": torch.zeros(2, 3)}))
    assert torch.equal(restored["matrix"], torch.zeros(2, 3))


def test_16_bits_become_32() -> None:
    half = torch.randn(3, 4).half()
    assert torch.equal(to_float32({"matrix": half})["matrix"], half.float())


def test_rounding_again_changes_nothing(tmp_path: Path) -> None:
    first, second, full = (tmp_path / f"{name}.safetensors" for name in ("first", "second", "full"))
    classifier = make_classifier(HSLSTM, "negative", "positive")
    classifier.save(full)
    classifier.save(first, int8=True)
    loaded = Classifier.load(first)
    assert {weight.dtype for weight in loaded.model.state_dict().values()} == {torch.float32}
    loaded.save(second, int8=True)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < full.stat().st_size


@pytest.mark.parametrize("scale", [torch.ones(3), torch.ones(10, 1), None, "1"])
def test_scales_that_do_not_fit(tmp_path: Path, scale: object) -> None:
    path = tmp_path / "classifier.safetensors"
    make_classifier(HSLSTM, "negative", "positive").save(path, int8=True)
    state = load_state(path, "classifier")
    state["weights"]["words.weight"]["scale"] = scale
    save_state(path, "classifier", state)
    with pytest.raises(HsEnvError, match="does not fit its own description"):
        Classifier.load(path)
