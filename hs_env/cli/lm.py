"""The command `hs-env lm`, with the subcommands `train`, `evaluate` and `sample`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal

import tyro
from rich.console import Console
from rich.table import Table

from hs_env.cli.help import join_lines
from hs_env.errors import HsEnvError
from hs_env.language import LanguageModel, LMConfig, LMRun, resume_lm, train_lm
from hs_env.language.sampling import boundaries_in, marked, sample_text

join_lines(LMConfig)


def train(
    config: Annotated[LMConfig, tyro.conf.arg(name="")],
    out: Path | None = None,
    resume: Path | None = None,
) -> None:
    """Train a character language model and evaluate it on test.

    Args:
        config: Configuration of the run.
        out: Folder of the new run; by default runs/TEXT-DATE-TIME.
        resume: Folder of a stopped run to resume, with the options that it was started with; else only --device.
    """
    console = Console(stderr=True)
    if resume is not None:
        if config != LMConfig() or out is not None:
            raise HsEnvError("--resume continues with the options that the run was started with. Give no others.")
        run = resume_lm(resume, console, device=None if config.device == "auto" else config.device)
    else:
        run = train_lm(config, out, console)
    _print_scores(run, "test")
    print(f"\nThe run is in {run.folder}")


def evaluate(
    run: tyro.conf.Positional[Path],
    split: Literal["train", "dev", "test"] = "test",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
    device: str = "auto",
) -> None:
    """Print bits per character of a trained run, and how often its levels have a boundary, also at a space.

    The split is read as 50 parallel streams, each from a zero state. Every character but the first is predicted.

    Args:
        run: Folder of the run.
        split: Part of the text.
        as_json: Print JSON.
        device: Device: cpu, cuda, cuda:1, mps, or auto for a CUDA GPU if there is one.
    """
    _print_scores(LMRun.load(run, device), split, as_json)


def sample(
    run: tyro.conf.Positional[Path],
    length: int = 500,
    prompt: str | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    show: str | None = None,
    device: str = "auto",
) -> None:
    """Sample text, and mark the boundaries that HM-LSTM or H-Net finds in it.

    The mark | follows a boundary of the first level, and ‖ one that is also a boundary of the second level.

    Args:
        run: Folder of the run.
        length: Number of characters to sample.
        prompt: Text to continue; by default the first character of the alphabet, usually a line end or a space.
        temperature: Divisor of the log-probabilities; 0 always takes the most probable character.
        seed: Seed of the sampling.
        show: Text to mark boundaries in, instead of sampling.
        device: Device: cpu, cuda, cuda:1, mps, or auto for a CUDA GPU if there is one.
    """
    language_model = LanguageModel.load(run, device)
    if show is not None:
        print(marked(show, boundaries_in(language_model, show)))
        return
    before = language_model.alphabet[0] if prompt is None else prompt
    text = sample_text(language_model, length, before, temperature, seed)
    if language_model.model.core.finds_boundaries and text:
        text = marked(text, boundaries_in(language_model, text, before))
    print(text)


def _print_scores(run: LMRun, split: str, as_json: bool = False) -> None:
    scores = run.evaluate(split)
    if as_json:
        print(json.dumps(scores, indent=2))
        return
    model, seconds = run.language_model.model, run.cpu_seconds
    print(
        f"{run.config.text}, {split}: {scores['bits_per_character']:.3f} bits per character, "
        f"{model.size:,} parameters, {seconds:,.0f} CPU seconds of training"
    )
    by_level = {name: share for name, share in scores.items() if name[-1].isdigit()}
    if by_level:
        kinds = list(dict.fromkeys(name.rpartition("_")[0] for name in by_level))
        table = Table("level", *(kind.replace("_", " ") for kind in kinds), box=None, padding=(0, 2, 0, 0))
        for level in sorted({name.rpartition("_")[2] for name in by_level}):
            shares = (by_level.get(f"{kind}_{level}") for kind in kinds)
            table.add_row(level, *("—" if share is None else f"{share:.1%}" for share in shares))
        Console().print(table)


COMMANDS: Final[dict[str, Callable[..., None]]] = {"train": train, "evaluate": evaluate, "sample": sample}
"""The subcommands of `hs-env lm`."""
