"""The device of a run: chosen by name, recorded, and no part of what the run is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from hs_env.errors import HsEnvError
from hs_env.experiments.grid import Cell
from hs_env.storage import read_json, write_json
from hs_env.training import Run, TrainConfig, train
from hs_env.training.config import ResolvedConfig

QUIET = Console(quiet=True)
CONFIG = TrainConfig(
    corpus="phrases:train=16,dev=4,test=4",
    vectors="random:4",
    model="plain_lstm",
    model_parameters={"hidden_size": 4},
    warm_epochs=1,
    joint_epochs=0,
    threads=1,
    device="cpu",
)


def test_a_device_is_no_part_of_a_run() -> None:
    configs = [replace(CONFIG, device=name).resolve() for name in ("cpu", "auto", "cuda:1")]
    assert configs[0] == configs[1] == configs[2]
    assert len({Cell("corpus", "variant", 0, config).key for config in configs}) == 1


def test_configurations_without_a_device_are_of_the_cpu() -> None:
    values = CONFIG.resolve().to_json()
    del values["device"]
    assert ResolvedConfig.from_json(values).device == "cpu"
    with pytest.raises(HsEnvError, match="The device is 'gpu', expected auto, cpu"):
        ResolvedConfig.from_json(values | {"device": "gpu"})


def test_the_record_names_device_and_precision(tmp_path: Path) -> None:
    run = train(CONFIG, tmp_path / "run", QUIET)
    (record,) = read_json(run.folder / "record.json")
    assert record["device"] == "cpu"
    assert record["precision"] == "float32, highest precision of matrix products"
    assert record["threads"] == torch.get_num_threads()
    # A run that was made on a device that is not here loads all the same.
    write_json(run.folder / "config.json", read_json(run.folder / "config.json") | {"device": "cuda:63"})
    assert Run.load(run.folder, "cpu").classifier.device == torch.device("cpu")


def test_training_multiplies_in_its_precision_and_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    seen: list[str] = []
    config = replace(CONFIG, precision="medium")
    run = train(config, tmp_path / "run", QUIET, lambda _: seen.append(torch.get_float32_matmul_precision()))
    assert set(seen) == {"medium"}
    assert torch.get_float32_matmul_precision() == "highest"
    assert read_json(run.folder / "record.json")[0]["precision"] == "float32, medium precision of matrix products"


def test_a_missing_device_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match=r"There is no device 'cuda:63' here\. Available: cpu"):
        train(replace(CONFIG, device="cuda:63"), tmp_path / "run", QUIET)
    assert not (tmp_path / "run").exists()
