"""The command `hs-env train`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from hs_env.agents import AGENTS
from hs_env.cli.common import print_comparison
from hs_env.cli.help import join_lines
from hs_env.errors import HsEnvError
from hs_env.evaluation import compare
from hs_env.metrics.scores import hierarchy_examples, segmented_examples
from hs_env.models import MODELS, HMLSTMClassifier, StructuredEncoder
from hs_env.models.classifier import ENCODER
from hs_env.parameters import plain_values
from hs_env.render import to_ansi, to_text
from hs_env.training import run as runs
from hs_env.training.config import TrainConfig


@dataclass(frozen=True)
class NoParameters:
    """Parameters of the agent of a classifier that has none."""


def command(arguments: Sequence[str]) -> Callable[..., None]:
    """Return `train` with the parameters of the chosen model and agent as options.

    Args:
        arguments: Arguments of the command line, of which only `--model` and `--agent` are read.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--model", default=TrainConfig.model)
    parser.add_argument("--agent", default=TrainConfig.agent)
    chosen, _ = parser.parse_known_args(arguments)
    model = MODELS.get(chosen.model)
    agent = AGENTS.get(chosen.agent).parameters if issubclass(model, StructuredEncoder) else NoParameters
    for name in ("model_parameters", "agent_parameters"):  # the options of the chosen model and agent stand for them
        TrainConfig.__annotations__[name] = Annotated[dict[str, Any], tyro.conf.Fixed, tyro.conf.Suppress]
    join_lines(TrainConfig, model.Parameters, agent)
    untouched = TrainConfig(model=chosen.model, agent=chosen.agent)

    def train(
        config: TrainConfig,
        model_parameters: Any,
        agent_parameters: Any,
        out: Path | None,
        resume: Path | None,
        trust: bool,
    ) -> None:
        """Train a classifier, with or without learned structure, and compare it with the baselines.

        Args:
            config: Configuration of the run.
            model_parameters: Parameters of the model.
            agent_parameters: Parameters of the agent.
            out: Folder of the new run; by default runs/CORPUS-DATE-TIME.
            resume: Folder of a stopped run to resume, with the options that it was started with; takes no other option.
            trust: Execute the code outside of hs-env that a run to resume names, such as a reward `module:name`.
        """
        console = Console(stderr=True)
        if resume is None:
            if trust:
                raise HsEnvError("--trust is for --resume: the options of a new run are your own. Leave it out.")
            chosen_model, chosen_agent = plain_values(model_parameters), plain_values(agent_parameters)
            full = replace(config, model_parameters=chosen_model, agent_parameters=chosen_agent)
            run = runs.train(full, out, console)
        elif (config, model_parameters, agent_parameters, out) == (untouched, model.Parameters(), agent(), None):
            run = runs.resume(resume, console, trust)
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
        "out": Path | None,
        "resume": Path | None,
        "trust": bool,
        "return": None,
    }
    train.__defaults__ = (None, None, False)
    return train


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
