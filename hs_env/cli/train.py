"""The command `hs-env train`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from hs_env import ranks
from hs_env.cli.chosen import choose, full_config
from hs_env.cli.common import print_comparison
from hs_env.cli.options import main_options
from hs_env.cli.reading import ReadingOptions
from hs_env.cli.settings import SettingsOptions
from hs_env.cli.streams import shows_colours
from hs_env.compute import prepare
from hs_env.errors import HsEnvError
from hs_env.evaluation import compare
from hs_env.metrics.scores import nested_examples, segmented_examples
from hs_env.models import NestedClassifier, StructuredEncoder
from hs_env.models.classifier import ENCODER
from hs_env.render import to_ansi, to_text
from hs_env.training import run as runs
from hs_env.training.config import TrainConfig


def command(arguments: Sequence[str]) -> Callable[..., None]:
    """Return `train` with the parameters of the chosen model and agent as options (see `choose`)."""
    chosen = choose(arguments)

    @main_options("config", "reading", "settings", "out", "resume", "seeds")
    def train(
        config: TrainConfig,
        model_parameters: Any,
        agent_parameters: Any,
        reading: ReadingOptions,
        settings: SettingsOptions,
        out: Path | None,
        resume: Path | None,
        trust: bool,
        seeds: Annotated[tuple[int, ...] | None, tyro.conf.arg(metavar="INT [INT ...]")],
        jobs: int,
    ) -> None:
        """Train a classifier, and compare it with the baselines.

        Args:
            config: Configuration of the run.
            model_parameters: Parameters of the model.
            agent_parameters: Parameters of the agent.
            reading: How the corpus is read.
            settings: Where the configuration comes from.
            out: Folder of the new run; by default runs/CORPUS-DATE-TIME, with --seeds runs/CORPUS-MODEL-DIGEST.
            resume: Folder of a stopped run, which continues with its options; only --device and --trust may be added.
            trust: Execute foreign code that the run of --resume or --init-from names, such as a reward `module:name`.
            seeds: Seeds to train with, each in a folder of its own, instead of --seed. Repeat the command to continue.
            jobs: Number of seeds that are trained at a time.
        """
        ranks.join()
        console = Console(stderr=True)
        full = full_config(config, model_parameters, agent_parameters, reading)
        if trust and resume is None and config.init_from is None:
            raise HsEnvError("--trust is for --resume and --init-from: other options are your own. Leave it out.")
        if seeds is None and jobs != 1:
            raise HsEnvError("--jobs is for --seeds: a single run is one job. Leave it out.")
        if seeds is not None:
            ranks.require_one("A run per seed")
            if resume is not None or config.seed:
                raise HsEnvError("--seeds takes the place of --seed, and needs no --resume: repeat the same command.")
            from hs_env.experiments.seeds import train_seeds  # needs the extra "analysis"

            print_comparison(train_seeds(full, seeds, out, jobs, console))
            return
        if resume is None:
            run = runs.train(full, out, console)
        elif (config, model_parameters, agent_parameters, reading, settings) == chosen.plain and out is None:
            run = runs.resume(resume, console, trust=trust, device=None if config.device == "auto" else config.device)
        else:
            raise HsEnvError("--resume continues with the options that the run was started with. Give no others.")
        prepare(run.config.threads)
        is_first = ranks.rank() == 0
        ranks.leave()
        if not is_first:
            return
        has_test = bool(run.data().corpus.counts["test"])
        print_comparison(compare(run, "test" if has_test else "dev", console))
        _print_examples(run)
        print(f"\nThe run is in {run.folder}")
        if run.config.encoder_rate:
            print(f"To use its encoder in other runs: --vectors hf:{run.folder / ENCODER}")

    train.__annotations__ |= chosen.annotations | {
        "out": Path | None,
        "resume": Path | None,
        "trust": bool,
        "seeds": tuple[int, ...] | None,
        "jobs": int,
        "return": None,
    }
    train.__defaults__ = (*chosen.defaults, None, None, False, None, 1)
    return train


def _print_examples(run: runs.Run) -> None:
    """Print some sentences of dev, segmented or distilled by the trained model."""
    model = run.classifier.model
    if isinstance(model, NestedClassifier):
        examples = nested_examples(model, *run.data("dev").examples())
    elif isinstance(model, StructuredEncoder) and run.agent is not None:
        examples = segmented_examples(model, run.agent, *run.data("dev").examples())
    else:
        return
    print()
    for example in examples:
        print(to_ansi(example) if shows_colours() else to_text(example))
