"""The command `hs-env train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from hs_env.cli.common import print_comparison
from hs_env.cli.help import join_lines
from hs_env.errors import HsEnvError
from hs_env.evaluation import compare
from hs_env.metrics.scores import hierarchy_examples, segmented_examples
from hs_env.models import HMLSTMClassifier, StructuredEncoder
from hs_env.models.classifier import ENCODER
from hs_env.render import to_ansi, to_text
from hs_env.training import run as runs
from hs_env.training.config import TrainConfig

join_lines(TrainConfig)


def train(
    config: Annotated[TrainConfig, tyro.conf.arg(name="")],
    out: Path | None = None,
    resume: Path | None = None,
) -> None:
    """Train a classifier, with or without learned structure, and compare it with the baselines.

    Args:
        config: Configuration of the run.
        out: Folder of the new run; by default runs/CORPUS-DATE-TIME.
        resume: Folder of a stopped run to resume, with the options that it was started with; takes no other option.
    """
    console = Console(stderr=True)
    if resume is not None:
        if config != TrainConfig() or out is not None:
            raise HsEnvError("--resume continues with the options that the run was started with. Give no others.")
        run = runs.resume(resume, console)
    else:
        run = runs.train(config, out, console)
    print_comparison(compare(run, "test", console))
    _print_examples(run)
    print(f"\nThe run is in {run.folder}")
    if run.config.encoder_rate:
        print(f"To use its encoder in other runs: --vectors hf:{run.folder / ENCODER}")


def _print_examples(run: runs.Run) -> None:
    """Print some sentences of dev, segmented or distilled by the trained model."""
    model = run.classifier.model
    if isinstance(model, HMLSTMClassifier):
        examples = hierarchy_examples(model, *run.data("dev").examples())
    elif isinstance(model, StructuredEncoder) and run.agent is not None:
        examples = segmented_examples(model, run.agent, *run.data("dev").examples())
    else:
        return
    print()
    for example in examples:
        print(to_ansi(example) if sys.stdout.isatty() else to_text(example))
