"""The command `hs-env lm`, with the subcommands `train`, `evaluate`, `sample`, `show` and `report`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import tyro
from rich.console import Console
from rich.table import Column, Table

from hs_env.cli.common import Split, check_new, write_new
from hs_env.cli.help import join_lines
from hs_env.cli.settings import NO_SETTINGS, SettingsOptions, settings_of
from hs_env.cli.streams import argument_text, input_lines
from hs_env.compute import prepare
from hs_env.errors import HsEnvError
from hs_env.hub import local
from hs_env.language import LanguageModel, LMConfig, LMRun, resume_lm, train_lm
from hs_env.language.config import PRESETS
from hs_env.language.models import DEFAULT_MODEL
from hs_env.language.operations import known_text, operations_in
from hs_env.language.sampling import boundaries_in, marked, marked_sample
from hs_env.language.scores import score_table
from hs_env.language.texts import load_text
from hs_env.render import grid_legend, operations_svg, to_grid
from hs_env.settings import make_config

_SAMPLING: Final = (500, 1.0, 0)
"""Default length, temperature and seed of a sample."""

join_lines(LMConfig)


def train_command(arguments: Sequence[str]) -> Callable[..., None]:
    """Return `train` with the fields of `--preset` and `--config` among these arguments as defaults."""
    start = make_config(LMConfig, settings_of(arguments, LMConfig, PRESETS))

    def train(
        config: Annotated[LMConfig, tyro.conf.arg(name="")] = start,
        settings: Annotated[SettingsOptions, tyro.conf.arg(name="")] = NO_SETTINGS,
        out: Path | None = None,
        resume: Path | None = None,
    ) -> None:
        """Train a character language model and evaluate it on test.

        Args:
            config: Configuration of the run.
            settings: Where the configuration comes from.
            out: Folder of the new run; by default runs/TEXT-DATE-TIME.
            resume: Folder of a stopped run to resume, with the options that it was started with; else only --device.
        """
        console = Console(stderr=True)
        if resume is None:
            run = train_lm(config, out, console)
        elif (config, settings, out) == (LMConfig(), NO_SETTINGS, None):
            run = resume_lm(resume, console, device=None if config.device == "auto" else config.device)
        else:
            raise HsEnvError("--resume continues with the options that the run was started with. Give no others.")
        _print_scores(run, "test")
        print(f"\nThe run is in {run.folder}")

    return train


def evaluate(
    run: tyro.conf.Positional[Path],
    split: Split = "test",
    text: str | None = None,
    data_dir: Path | None = None,
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
    device: str = "auto",
) -> None:
    """Print bits per character of a trained run, and how often its levels have a boundary, also at a space.

    The split is read as up to 50 parallel streams of 500 characters or more, each from a zero state. Every character
    but the first is predicted.

    Args:
        run: Folder of the run.
        split: Part of the text.
        text: Another text than that of the run: a name or a file, as for `hs-env lm train`. Its scores are not saved.
        data_dir: Folder of the texts that are not built in; by default the one that the training read.
        as_json: Print JSON.
        device: Device: cpu, cuda, cuda:1, mps, or auto for a CUDA GPU if there is one.
    """
    _print_scores(_load(run, device, data_dir), split, as_json, text)


def sample(
    run: tyro.conf.Positional[str],
    length: int = _SAMPLING[0],
    prompt: str | None = None,
    temperature: float = _SAMPLING[1],
    seed: int = _SAMPLING[2],
    show: str | None = None,
    device: str = "auto",
) -> None:
    """Sample text, and mark the boundaries that the model finds in it.

    The mark | follows a boundary of the first level, and ‖ one that is also a boundary of the second level. Characters
    of a prompt or a shown text that the model does not know are read as `hs-env lm show` does.

    Args:
        run: Folder of a run, name of a language model that ships with the package, or hf:owner/name.
        length: Number of characters to sample.
        prompt: Text to continue; by default the first character of the alphabet, usually a line end or a space.
        temperature: Divisor of the log-probabilities; 0 always takes the most probable character.
        seed: Seed of the sampling.
        show: Text to mark boundaries in, instead of sampling; a prompt is read before it, and nothing is drawn.
        device: Device: cpu, cuda, cuda:1, mps, or auto for a CUDA GPU if there is one.
    """
    language_model = LanguageModel.load(local(run), device)
    before = None if prompt is None else _known(language_model, prompt)
    if show is not None:
        if (length, temperature, seed) != _SAMPLING:
            raise HsEnvError("--show samples nothing. Leave --length, --temperature and --seed out.")
        text = _known(language_model, show)
        print(marked(text, boundaries_in(language_model, text, before or "")))
        return
    before = language_model.alphabet[0] if before is None else before
    print(marked_sample(language_model, length, before, temperature, seed))


def show(
    texts: tyro.conf.Positional[tuple[str, ...]] = (),
    run: str = DEFAULT_MODEL,
    svg: Path | None = None,
    device: str = "auto",
) -> None:
    """Draw what each layer of HM-LSTM does at each character: UPDATE, COPY or FLUSH, and where segments end.

    A capital is read as a small letter if the model knows only that. Other characters that it does not know are left
    out. A note on standard error says which.

    Args:
        texts: Texts, one per argument; without any, standard input is read, one text per line.
        run: Folder of a run, name of a language model that ships with the package, or hf:owner/name.
        svg: File to write a picture of one text to, instead of printing; it must not exist yet.
        device: Device: cpu, cuda, cuda:1, mps, or auto for a CUDA GPU if there is one.
    """
    language_model, console, layers = LanguageModel.load(local(run), device), Console(), 0
    given = [argument_text(text.rstrip("\r\n")) for text in (texts or input_lines()) if text.strip()]
    if texts and not given:
        raise HsEnvError("Give at least one character of text.")
    if svg is not None and len(given) != 1:
        raise HsEnvError(f"--svg draws one text, got {len(given)}. Give one.")
    for text in given:
        operations, note = operations_in(language_model, text)
        if note:
            print(f"hs-env: {note}", file=sys.stderr)
        if svg is not None:
            write_new(svg, operations_svg(operations).encode())
            print(f"The picture is in {svg}")
        else:
            console.print(to_grid(operations, console.width), soft_wrap=True)
            layers = len(operations.taken)
    if layers:
        console.print(grid_legend(layers), soft_wrap=True)


def report(
    run: tyro.conf.Positional[Path],
    out: Path,
    split: Split = "test",
    data_dir: Path | None = None,
    device: str = "auto",
) -> None:
    """Write an HTML page about a language model: scores, learning curves, what its layers do, and configuration.

    Args:
        run: Folder of the run.
        out: File to write, which must not exist yet.
        split: Part of the text.
        data_dir: Folder of the texts that are not built in; by default the one that the training read.
        device: Device: cpu, cuda, cuda:1, mps, or auto for a CUDA GPU if there is one.
    """
    from hs_env.report import make_language_report  # needs an extra

    check_new(out)
    write_new(out, make_language_report(_load(run, device, data_dir), split).encode())
    print(f"The report is in {out}")


def _load(folder: Path, device: str, data_dir: Path | None) -> LMRun:
    """Load a run whose text is read from `data_dir`, or from where it was in training."""
    run = LMRun.load(folder, device)
    return run if data_dir is None else replace(run, config=replace(run.config, data_dir=data_dir))


def _known(language_model: LanguageModel, text: str) -> str:
    """Return a text of the command line as a model can read it, and say on standard error what has changed."""
    if not text:
        return text
    known, note = known_text(argument_text(text), language_model.alphabet)
    if note:
        print(f"hs-env: {note}", file=sys.stderr)
    return known


def _print_scores(run: LMRun, split: str, as_json: bool = False, text: str | None = None) -> None:
    prepare(run.config.threads)
    scores = run.evaluate(split, text=None if text is None else load_text(text, run.config.data_dir))
    if as_json:
        print(json.dumps(scores, indent=2))
        return
    model, seconds = run.language_model.model, run.cpu_seconds
    print(
        f"{text or run.config.text}, {split}: {scores['bits_per_character']:.3f} bits per character, "
        f"{model.size:,} parameters, {seconds:,.0f} CPU seconds of training"
    )
    kinds, levels = score_table(scores)
    if levels:
        numbers = [Column(str(number), justify="right") for number in range(1, len(levels) + 1)]
        table = Table("level", *numbers, box=None)
        for kind, *cells in zip(kinds, *levels, strict=True):
            table.add_row(kind, *cells)
        Console().print(table)


COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "train": train_command(()),
    "evaluate": evaluate,
    "sample": sample,
    "show": show,
    "report": report,
}
"""The subcommands of `hs-env lm`."""
