"""Make the HM-LSTM classifier that ships with the package. Matrices are stored in 8 bits per weight."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from command import run_script
from rich.console import Console

import hs_env
from hs_env.errors import HsEnvError
from hs_env.metrics.bootstrap import intervals
from hs_env.metrics.scores import flat_scores, greedy_predictions, nested_scores
from hs_env.models import Classifier, HMLSTMClassifier
from hs_env.shipped import CLASSIFIER
from hs_env.training.config import TrainConfig
from hs_env.training.run import Run, train

CONFIG = TrainConfig(
    corpus="phrases:train=4000,dev=500,test=1000",
    vectors="random:32",
    model="hm_lstm",
    model_parameters={"hidden_size": 48, "dropout": 0.1, "slope_per_epoch": 1.0},
    batch_size=16,
    learning_rate=2e-3,
    warm_epochs=8,
    patience=8,
    joint_epochs=0,
    threads=1,
)


def make(out: Path, folder: Path, console: Console) -> None:
    """Train the classifier, round it, and note its figures."""
    run = Run.load(folder) if (folder / "history.json").exists() else train(CONFIG, folder, console)
    if run.config != CONFIG.resolve():
        raise HsEnvError(f"The run in {folder} has another configuration. Remove it, or name another folder: --run.")
    run.classifier.save(out / CLASSIFIER, int8=True)
    rounded, data = Classifier.load(out / CLASSIFIER), run.data()
    trained = run.classifier.model
    assert isinstance(rounded.model, HMLSTMClassifier) and isinstance(trained, HMLSTMClassifier)  # noqa: PT018
    notes: dict[str, Any] = {"intervals": {}, "vectors": CONFIG.vectors}
    for split in ("dev", "test"):
        found = greedy_predictions(rounded.model, None, data.splits[split])
        accuracy = intervals(found)["accuracy"]
        notes[split], notes["intervals"][split] = accuracy.value, [accuracy.low, accuracy.high]
        notes[f"float32_{split}"] = flat_scores(trained, data.splits[split])["accuracy"]
    notes["scores"] = nested_scores(rounded.model, data.splits["test"])
    origin = {"corpus": "phrases", "made_by": "scripts/make_hm_lstm.py"}
    replace(rounded, notes=run.classifier.notes | notes | origin).save(out / CLASSIFIER, int8=True)
    console.print(notes)


def main(out: Path | None = None, run: Path = Path("runs/hm_lstm")) -> None:
    """Train the classifier, round it to 8 bits, measure it, and write its file.

    Args:
        out: Folder of the result; by default, the folder that ships with the package.
        run: Folder of the run; a finished one is not trained again.
    """
    console = Console(stderr=True)
    out = out or Path(hs_env.__file__).parent / "data" / "phrases_hm_lstm"
    make(out, run, console)
    size = sum(path.stat().st_size for path in out.glob("*.safetensors")) / 1024
    console.print(f"{out}: {size:.0f} kB")


if __name__ == "__main__":
    run_script(main)
