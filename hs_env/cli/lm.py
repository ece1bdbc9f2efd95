"""The command line of character language models: `hs-env lm train | evaluate | sample`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.table import Table

from hs_env.errors import HsEnvError
from hs_env.language import LanguageModel, LMConfig, LMRun, resume_lm, train_lm
from hs_env.language.sampling import boundaries_in, marked, sample_text
from hs_env.models.hm.layers import HMLSTM


def train(
    config: Annotated[LMConfig, tyro.conf.arg(name="")],
    out: Path | None = None,
    resume: Path | None = None,
) -> None:
    """Train a character language model and score it on test.

    Args:
        config: What to train.
        out: Folder of the new run; by default runs/TEXT-DATE-TIME.
        resume: Folder of a stopped run to go on with; all other options are the ones it was started with.
    """
    console = Console(stderr=True)
    if resume is not None:
        if config != LMConfig() or out is not None:
            raise HsEnvError("--resume goes on with the options that the run was started with. Give no others.")
        run = resume_lm(resume, console)
    else:
        run = train_lm(config, out, console)
    _show(run, "test")
    print(f"\nThe run is in {run.folder}")


def evaluate(
    run: tyro.conf.Positional[Path],
    split: Literal["train", "dev", "test"] = "test",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Bits per character of a trained run, and how often its layers updated, copied and flushed.

    All of the part but its first character is predicted, in 50 streams read side by side, each from an empty state on.

    Args:
        run: Folder of the run.
        split: Part of the text.
        as_json: Print JSON.
    """
    _show(LMRun.load(run), split, as_json)


def sample(
    run: tyro.conf.Positional[Path],
    length: int = 500,
    prompt: str | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    show: str | None = None,
) -> None:
    """Write text, with the boundaries that the model sees in it: | of the first level, ‖ of a higher one, too.

    Args:
        run: Folder of the run.
        length: Characters to write.
        prompt: What to go on from; by default the first character of the alphabet, mostly a line end or a space.
        temperature: Log-probabilities are divided by it; 0 always takes the most probable character.
        seed: Of the choice.
        show: Write nothing, and show the boundaries in this text.
    """
    language_model = LanguageModel.load(run)
    if show is not None:
        print(marked(show, boundaries_in(language_model, show)))
        return
    before = language_model.alphabet[0] if prompt is None else prompt
    written = sample_text(language_model, length, before, temperature, seed)
    if isinstance(language_model.model.core, HMLSTM) and written:
        written = marked(written, boundaries_in(language_model, written, before))
    print(written)


def _show(run: LMRun, split: str, as_json: bool = False) -> None:
    scores = run.evaluate(split)
    if as_json:
        print(json.dumps(scores, indent=2))
        return
    model, seconds = run.language_model.model, run.language_model.notes["cpu_seconds"]
    print(
        f"{run.config.text}, {split}: {scores['bits_per_character']:.3f} bits per character, "
        f"{model.size:,} parameters, {seconds:,.0f} CPU seconds of training"
    )
    if isinstance(model.core, HMLSTM):
        table = Table("layer", "boundaries", "UPDATE", "COPY", "FLUSH", box=None, padding=(0, 2, 0, 0))
        for layer in range(1, len(model.core.widths) + 1):
            names = (f"boundaries_{layer}", f"update_{layer}", f"copy_{layer}", f"flush_{layer}")
            table.add_row(str(layer), *(f"{scores[name]:.1%}" if name in scores else "—" for name in names))
        Console(file=sys.stdout).print(table)


COMMANDS: dict[str, Callable[..., None]] = {"train": train, "evaluate": evaluate, "sample": sample}
"""What `hs-env lm` can do."""
