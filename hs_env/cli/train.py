"""The command `hs-env train`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from hs_env.agents import AGENTS
from hs_env.cli.common import print_comparison
from hs_env.cli.help import join_lines
from hs_env.cli.options import main_options
from hs_env.cli.reading import ReadingOptions
from hs_env.errors import HsEnvError
from hs_env.evaluation import compare
from hs_env.metrics.scores import hierarchy_examples, segmented_examples
from hs_env.models import MODELS, HMLSTMClassifier, StructuredEncoder
from hs_env.models.classifier import ENCODER
from hs_env.parameters import parse_parameters, plain_values
from hs_env.render import to_ansi, to_text
from hs_env.training import run as runs
from hs_env.training.config import TrainConfig


@dataclass(frozen=True)
class NoParameters:
    """Parameters of the agent of a classifier that has none."""


def command(arguments: Sequence[str]) -> Callable[..., None]:
    """Return `train` with the parameters of the chosen model and agent as options.

    Args:
        arguments: Arguments of the command line, of which only `--model`, `--agent` and `--init-from` are read.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--init-from", "--init_from")
    known, remaining = parser.parse_known_args(arguments)
    defaults = TrainConfig() if known.init_from is None else _continued(known.init_from)
    parser.add_argument("--model", default=defaults.model)
    parser.add_argument("--agent", default=defaults.agent or TrainConfig.agent)
    chosen, _ = parser.parse_known_args(remaining)
    model = MODELS.get(chosen.model)
    agent = AGENTS.get(chosen.agent).parameters if issubclass(model, StructuredEncoder) else NoParameters
    own_model = defaults.model_parameters if chosen.model == defaults.model else {}
    own_agent = defaults.agent_parameters if chosen.agent == defaults.agent else {}
    model_defaults = parse_parameters(model.Parameters, own_model, f"the model {chosen.model!r}")
    agent_defaults = parse_parameters(agent, own_agent, f"the agent {chosen.agent!r}")
    for name in ("model_parameters", "agent_parameters"):  # the options of the chosen model and agent stand for them
        TrainConfig.__annotations__[name] = Annotated[dict[str, Any], tyro.conf.Fixed, tyro.conf.Suppress]
    join_lines(TrainConfig, model.Parameters, agent, ReadingOptions)
    nothing = (TrainConfig(model=chosen.model, agent=chosen.agent), model.Parameters(), agent(), ReadingOptions(), None)

    @main_options("config", "reading", "out", "resume", "seeds")
    def train(
        config: TrainConfig,
        model_parameters: Any,
        agent_parameters: Any,
        reading: ReadingOptions,
        out: Path | None,
        resume: Path | None,
        trust: bool,
        seeds: tuple[int, ...],
        jobs: int,
    ) -> None:
        """Train a classifier, and compare it with the baselines.

        Args:
            config: Configuration of the run.
            model_parameters: Parameters of the model.
            agent_parameters: Parameters of the agent.
            reading: How the corpus is read.
            out: Folder of the new run; by default runs/CORPUS-DATE-TIME, with --seeds runs/CORPUS-MODEL-DIGEST.
            resume: Folder of a stopped run to resume, with the options that it was started with; else only --device.
            trust: Execute the code outside of hs-env that a run to resume names, such as a reward `module:name`.
            seeds: Seeds to train with, each in a folder of its own, instead of --seed. Repeat the command to continue.
            jobs: Number of seeds that are trained at a time.
        """
        console = Console(stderr=True)
        chosen_model, chosen_agent = plain_values(model_parameters), plain_values(agent_parameters)
        corpus = reading.add_to(config.corpus)
        full = replace(config, corpus=corpus, model_parameters=chosen_model, agent_parameters=chosen_agent)
        if seeds:
            if resume is not None or trust or config.seed:
                raise HsEnvError("--seeds takes the place of --seed, and needs no --resume: repeat the same command.")
            from hs_env.experiments.seeds import train_seeds  # needs the extra "analysis"

            print_comparison(train_seeds(full, seeds, out, jobs, console))
            return
        if resume is None:
            if trust:
                raise HsEnvError("--trust is for --resume: the options of a new run are your own. Leave it out.")
            run = runs.train(full, out, console)
        elif (config, model_parameters, agent_parameters, reading, out) == nothing:
            run = runs.resume(resume, console, trust, device=None if config.device == "auto" else config.device)
        else:
            raise HsEnvError("--resume continues with the options that the run was started with. Give no others.")
        has_test = bool(run.data().corpus.counts["test"])
        print_comparison(compare(run, "test" if has_test else "dev", console))
        _print_examples(run)
        print(f"\nThe run is in {run.folder}")
        if run.config.encoder_rate:
            print(f"To use its encoder in other runs: --vectors hf:{run.folder / ENCODER}")

    train.__annotations__ |= {
        "config": Annotated[TrainConfig, tyro.conf.arg(name="")],
        "model_parameters": Annotated[model.Parameters, tyro.conf.arg(name="")],
        "agent_parameters": Annotated[agent, tyro.conf.arg(name="agent")],
        "reading": Annotated[ReadingOptions, tyro.conf.arg(name="")],
        "out": Path | None,
        "resume": Path | None,
        "trust": bool,
        "seeds": tuple[int, ...],
        "jobs": int,
        "return": None,
    }
    start = replace(defaults, model_parameters={}, agent_parameters={}, model=chosen.model)
    train.__defaults__ = (start, model_defaults, agent_defaults, ReadingOptions(), None, None, False, (), 1)
    return train


def _continued(folder: str) -> TrainConfig:
    """Return the configuration of a finished run as that of a run that starts from it."""
    config = runs.load_config(folder)
    same = {each.name: getattr(config, each.name) for each in fields(TrainConfig)}
    return TrainConfig(**same | {"init_from": folder, "warm_epochs": None, "pnet_epochs": None})


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
