"""The options of the model and agent that a command line chooses, for commands that train classifiers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from hs_env.agents import AGENTS
from hs_env.cli.help import join_lines
from hs_env.cli.reading import ReadingOptions
from hs_env.cli.settings import NO_SETTINGS, SettingsOptions, settings_of
from hs_env.errors import HsEnvError
from hs_env.models import MODELS, StructuredEncoder
from hs_env.models.classifier import ENCODER
from hs_env.parameters import parse_parameters, plain_values
from hs_env.settings import make_config
from hs_env.training import run as runs
from hs_env.training.config import PRESETS, TrainConfig

NAMES = ("config", "model_parameters", "agent_parameters", "reading", "settings")
"""Names of the parameters of a command that make a configuration."""


@dataclass(frozen=True)
class NoParameters:
    """Parameters of the agent of a classifier that has none."""


@dataclass(frozen=True)
class Chosen:
    """Parameters of a command that make a configuration, in the order of `NAMES`.

    Attributes:
        annotations: Annotations for tyro, by name.
        defaults: Defaults, with the fields of `--preset`, `--config` and `--init-from`.
        plain: Defaults without them.
    """

    annotations: dict[str, Any]
    defaults: tuple[Any, ...]
    plain: tuple[Any, ...]


def choose(arguments: Sequence[str]) -> Chosen:
    """Return the parameters of a command line.

    Args:
        arguments: Arguments of the command line, of which only `--model`, `--agent`, `--init-from`, `--trust`,
            `--reward`, `--preset` and `--config` are read.

    Raises:
        HsEnvError: If a name or file is unknown or not valid, an option of an agent is given and the model has none, or
            the run to start from names code that is not trusted.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--init-from", "--init_from")
    parser.add_argument("--trust", action="store_true")
    parser.add_argument("--reward", nargs="?", const="")
    known, remaining = parser.parse_known_args(arguments)
    defaults = make_config(TrainConfig, settings_of(arguments, TrainConfig, PRESETS))
    if known.init_from is not None:
        if defaults != TrainConfig():
            raise HsEnvError("--init-from takes its defaults from the run. Leave --preset and --config out.")
        defaults = _continued(known.init_from, known.trust or known.reward is not None)
    parser.add_argument("--model", default=defaults.model)
    parser.add_argument("--agent", default=defaults.agent or TrainConfig.agent)
    chosen, others = parser.parse_known_args(remaining)
    model = MODELS.get(chosen.model)
    option = next((each.partition("=")[0] for each in others if each.startswith("--agent.")), None)
    if option is not None and not issubclass(model, StructuredEncoder):
        raise HsEnvError(f"The model {chosen.model!r} takes no actions and has no agent. Leave {option} out.")
    agent = AGENTS.get(chosen.agent).parameters if issubclass(model, StructuredEncoder) else NoParameters
    own_model = defaults.model_parameters if MODELS.resolve(chosen.model) == MODELS.resolve(defaults.model) else {}
    same_agent = defaults.agent and AGENTS.resolve(chosen.agent) == AGENTS.resolve(defaults.agent)
    own_agent = defaults.agent_parameters if same_agent else {}
    model_defaults = parse_parameters(model.Parameters, own_model, f"the model {chosen.model!r}")
    agent_defaults = parse_parameters(agent, own_agent, f"the agent {chosen.agent!r}")
    for name in ("model_parameters", "agent_parameters"):  # the options of the chosen model and agent stand for them
        TrainConfig.__annotations__[name] = Annotated[dict[str, Any], tyro.conf.Fixed, tyro.conf.Suppress]
    join_lines(TrainConfig, model.Parameters, agent, ReadingOptions, SettingsOptions)
    kinds: dict[str, Any] = {
        "config": Annotated[TrainConfig, tyro.conf.arg(name="")],
        "model_parameters": Annotated[model.Parameters, tyro.conf.arg(name="")],
        "agent_parameters": Annotated[agent, tyro.conf.arg(name="agent")],
        "reading": Annotated[ReadingOptions, tyro.conf.arg(name="")],
        "settings": Annotated[SettingsOptions, tyro.conf.arg(name="")],
    }
    start = replace(defaults, model_parameters={}, agent_parameters={}, model=chosen.model)
    plain = TrainConfig(model=chosen.model, agent=chosen.agent)
    return Chosen(
        kinds,
        (start, model_defaults, agent_defaults, ReadingOptions(), NO_SETTINGS),
        (plain, model.Parameters(), agent(), ReadingOptions(), NO_SETTINGS),
    )


def full_config(
    config: TrainConfig, model_parameters: Any, agent_parameters: Any, reading: ReadingOptions
) -> TrainConfig:
    """Return the configuration that the parameters of a command make."""
    return replace(
        config,
        corpus=reading.add_to(config.corpus),
        model_parameters=plain_values(model_parameters),
        agent_parameters=plain_values(agent_parameters),
    )


def _continued(folder: str, trust: bool) -> TrainConfig:
    """Return the configuration of a finished run as that of a run that starts from it."""
    config = runs.load_config(folder)
    if config.foreign_code and not trust:
        raise HsEnvError(
            f"The run in {folder} executes code outside of hs-env: {config.foreign_code}. If you trust its origin, add "
            "--trust; or choose another --reward."
        )
    same = plain_values(config)
    changed: dict[str, Any] = {"init_from": folder, "warm_epochs": None, "pnet_epochs": None}
    if config.encoder_rate:  # the encoder has learned
        changed |= {"encoder_rate": 0.0, "encoder_decay": 1.0, "vectors": f"hf:{Path(folder) / ENCODER}"}
    return TrainConfig(**same | changed)
