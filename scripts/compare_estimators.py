"""HS-LSTM with each gradient estimator, next to models that need none, over several seeds.

`compare_estimators.py run` trains what its ledger does not hold yet, and `compare_estimators.py table` makes a table of
it. The warm start does not depend on the estimator: it is trained once for each seed, so that a line is what
`hs-env train --estimator NAME` with the same options gives.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from scipy import stats

from hs_env.evaluation.metrics import Outcome, collect, collect_plain
from hs_env.models import HSLSTM, PlainLSTM
from hs_env.training import TrainConfig
from hs_env.training.data import TrainingData, evaluation_batches
from hs_env.training.plain import train_plain_lstm
from hs_env.training.runtime import describe, prepare
from hs_env.training.scores import greedy_episodes
from hs_env.training.trainer import Progress, Trainer

ESTIMATORS = (
    *("rloo", "moving_average", "self_critical", "local_expectation", "arm", "disarm", "rebar", "relax"),
    *("st_identity", "st_sigmoid", "st_hard", "st_gumbel"),
)
PLAIN = "plain LSTM"
COMMON = TrainConfig(hidden_size=100, joint_epochs=2, threads=1)


def run(
    ledger: Path,
    runs: Path = Path("runs/estimators"),
    config: TrainConfig = COMMON,
    estimators: tuple[str, ...] = ESTIMATORS,
    seeds: tuple[int, ...] = (0, 1, 2),
    samples: int = 2,
) -> None:
    """Train what the ledger does not hold yet.

    Args:
        ledger: JSON lines, one for each model and seed.
        runs: Folder of the runs.
        config: What all have in common.
        estimators: Their names.
        seeds: One run for each.
        samples: Episodes sampled for each sentence.
    """
    prepare(config.threads)
    done = {(line["model"], line["seed"]) for line in _lines(ledger)}
    config = replace(config, reinforce=replace(config.reinforce, samples=samples))
    for seed in seeds:
        seeded = replace(config, seed=seed)
        data = TrainingData.load(seeded)
        wanted = [name for name in estimators if (name, seed) not in done]
        if wanted or (PLAIN, seed) not in done:
            warm = _warm_start(seeded, data, runs / f"warm-{seed}")
        for name in wanted:
            _append(ledger, _hs_lstm(replace(seeded, estimator=name), data, warm, runs / f"{name}-{seed}"))
        if (PLAIN, seed) not in done:
            updates = {"warm": warm.progress.warm_updates, "joint": config.joint_epochs * _batches(data, config)}
            _append(ledger, _plain(seeded, data, updates))


def _batches(data: TrainingData, config: TrainConfig) -> int:
    return -(-len(data.splits["train"]) // config.batch_size)


def _warm_start(config: TrainConfig, data: TrainingData, folder: Path) -> Trainer:
    trainer = Trainer(replace(config, pnet_epochs=0, joint_epochs=0), data, folder, Console(quiet=True))
    trainer.load_checkpoint()
    trainer.run()
    return trainer


def _hs_lstm(config: TrainConfig, data: TrainingData, warm: Trainer, folder: Path) -> dict[str, Any]:
    begun = time.process_time()
    trainer = Trainer(config, data, folder, Console(quiet=True))
    if (folder / "checkpoint.safetensors").exists():
        trainer.load_checkpoint()
    else:
        trainer.learner.load_state_dict(warm.learner.state_dict())
        trainer.progress = Progress(
            stage=1, updates=warm.progress.warm_updates, warm_updates=warm.progress.warm_updates
        )
    trainer.run()
    encoder = trainer.learner.slow
    assert isinstance(encoder, HSLSTM)
    line: dict[str, Any] = {"model": config.estimator, "seed": config.seed, "seconds": time.process_time() - begun}
    for split in ("dev", "test"):
        outcome = collect(greedy_episodes(encoder, trainer.agent, data.splits[split]), encoder.task)
        line |= {f"{split}_{key}": value for key, value in _means(outcome).items()}
    return line


def _plain(config: TrainConfig, data: TrainingData, updates: dict[str, int]) -> dict[str, Any]:
    begun = time.process_time()
    model = train_plain_lstm(config, data, updates, Console(quiet=True)).model
    assert isinstance(model, PlainLSTM)
    line: dict[str, Any] = {"model": PLAIN, "seed": config.seed, "seconds": time.process_time() - begun}
    for split in ("dev", "test"):
        with torch.no_grad():
            verdicts = [(batch, model(batch)) for batch in evaluation_batches(data.splits[split])]
        line |= {f"{split}_{key}": value for key, value in _means(collect_plain(iter(verdicts))).items()}
    return line


def _means(outcome: Outcome) -> dict[str, Any]:
    """Figures of a split, and which sentences were right, as packed bits."""
    right = outcome.predictions == outcome.labels
    rows = np.arange(len(outcome))
    figures: dict[str, Any] = {
        "accuracy": float(right.mean()),
        "log_likelihood": float(outcome.log_probs[rows, outcome.labels].mean()),
        "right": base64.b64encode(np.packbits(right).tobytes()).decode(),
    }
    return figures if outcome.num_phrases is None else figures | {"phrases": float(outcome.num_phrases.mean())}


def _append(ledger: Path, line: dict[str, Any]) -> None:
    ledger.parent.mkdir(parents=True, exist_ok=True)
    with ledger.open("a") as file:
        file.write(json.dumps(line | {"on": describe()}) + "\n")
    print(json.dumps(line), flush=True)


def _lines(ledger: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []


def table(ledger: Path) -> None:
    """Print a table in markdown: means over the seeds with 95% intervals of Student's t.

    Args:
        ledger: What `run` wrote.
    """
    lines = _lines(ledger)
    by_model: dict[str, dict[int, dict[str, Any]]] = {}
    for line in lines:
        by_model.setdefault(line["model"], {})[line["seed"]] = line
    plain = by_model.get(PLAIN, {})
    print("| | seeds | test accuracy % | less plain LSTM | dev accuracy % | phrases / sentence | seconds |")
    print("|:--|--:|--:|--:|--:|--:|--:|")
    for name, seeds in by_model.items():
        test = [100 * line["test_accuracy"] for line in seeds.values()]
        less = [
            100 * (line["test_accuracy"] - plain[seed]["test_accuracy"])
            for seed, line in seeds.items()
            if seed in plain
        ]
        dev = [100 * line["dev_accuracy"] for line in seeds.values()]
        phrases = [line["test_phrases"] for line in seeds.values() if "test_phrases" in line]
        cells = [
            name,
            str(len(seeds)),
            _interval(test),
            "—" if name == PLAIN or not less else _interval(less, "+"),
            f"{np.mean(dev):.1f}",
            f"{np.mean(phrases):.1f}" if phrases else "—",
            f"{np.mean([line['seconds'] for line in seeds.values()]):.0f}",
        ]
        print("| " + " | ".join(cells) + " |")


def _interval(values: list[float], sign: str = "") -> str:
    """Mean and 95% interval."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:{sign}.1f}"
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)
    return f"{mean:{sign}.1f} ({mean - half:{sign}.1f} to {mean + half:{sign}.1f})"


if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict({"run": run, "table": table})
