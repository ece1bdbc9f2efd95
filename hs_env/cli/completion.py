"""Completion of commands, options and names in a shell."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

import shtab

from hs_env.agents import AGENTS, BASELINES, ESTIMATORS
from hs_env.cli.app import COMMANDS
from hs_env.cli.options import Option, options_of
from hs_env.corpora import CORPORA
from hs_env.language.config import PRESETS as LM_PRESETS
from hs_env.models import MODELS
from hs_env.registry import stem_of
from hs_env.rewards import REWARDS
from hs_env.settings import read_toml
from hs_env.shipped import shipped_language_models, shipped_runs
from hs_env.training.config import PRESETS

_NAMES: Final[dict[tuple[str, str], Iterable[str]]] = {
    ("train", "corpus"): CORPORA,
    ("train", "model"): MODELS,
    ("train", "agent"): AGENTS,
    ("train", "reward"): REWARDS,
    ("train", "warm_start"): BASELINES,
    ("train", "agent.estimator"): ESTIMATORS,
    ("train", "preset"): read_toml(PRESETS, "file of presets"),
    ("lm train", "preset"): read_toml(LM_PRESETS, "file of presets"),
    ("corpora", "name"): CORPORA,
}
"""Names that a text option of a command takes. Every option `run` takes a shipped run or a folder."""


def completion_script(shell: str) -> str:
    """Return a script for a shell which completes commands, options, and names of corpora, models, agents and rewards.

    Args:
        shell: "bash", "zsh" or "fish".
    """
    parser = argparse.ArgumentParser("hs-env", description="Learn the structure of text.")
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers()
    for name, summary in COMMANDS.items():
        module, command = import_module(f"hs_env.cli.{name}"), commands.add_parser(name, help=summary)
        if hasattr(module, "COMMANDS"):
            nested = command.add_subparsers()
            for inner, function in module.COMMANDS.items():
                summary = (function.__doc__ or "").partition("\n")[0]
                _add_options(nested.add_parser(inner, help=summary), f"{name} {inner}", options_of(function))
        elif hasattr(module, "command"):
            _add_options(command, name, _options_of_train(module.command))
        else:
            _add_options(command, name, options_of(getattr(module, name)))
    return shtab.complete(parser, shell)


def _options_of_train(command: Callable[[list[str]], Callable[..., None]]) -> Iterator[Option]:
    """Yield the options of training with any model and agent, each once."""
    chosen = [["--model", name] for name in MODELS] + [["--agent", name] for name in AGENTS]
    yield from {option.name: option for words in chosen for option in options_of(command(words))}.values()


def _add_options(parser: argparse.ArgumentParser, command: str, options: Iterable[Option]) -> None:
    parser.add_argument("--help-all", action="store_true", help="show all options and exit")
    for option in options:
        kinds = [kind for kind in get_args(option.kind) or (option.kind,) if kind is not NoneType]
        text, flag = option.text.partition(". ")[0].rstrip(".").replace("%", "%%"), option.name.replace("_", "-")
        if kinds == [bool]:
            parser.add_argument(f"--{flag}", action=argparse.BooleanOptionalAction, help=text)
            continue
        several = get_origin(option.kind) is tuple
        details: dict[str, Any] = {
            "help": text,
            "choices": _choices(command, option),
            "nargs": "*" if several else None,
        }
        action = parser.add_argument(option.name if option.positional else f"--{flag}", **details)
        if details["choices"] is None and (Path in kinds or option.name in ("run", "file", "out")):
            action.complete = shtab.FILE  # type: ignore[attr-defined]


def _choices(command: str, option: Option) -> list[str] | None:
    """Return the values that an option takes, if they are known."""
    literals = [kind for kind in (option.kind, *get_args(option.kind)) if get_origin(kind) is Literal]
    if literals:
        return [str(value) for value in get_args(literals[0])]
    if option.name == "run" and option.kind is str:
        classifiers, language_models = list(shipped_runs()), list(shipped_language_models())
        known = {"lm": language_models, "hub": classifiers + language_models}
        return known.get(command.partition(" ")[0], classifiers)
    names = _NAMES.get(("train" if command == "tune" else command, option.name))
    return None if names is None else [stem_of(name) or name for name in names]
