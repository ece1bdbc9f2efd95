"""The entry point of `hs-env`: choose the command, run it, and print errors."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import hs_env
from hs_env.errors import HsEnvError
from hs_env.registry import unknown_name

COMMANDS: Final = {
    "train": "Train a classifier, with or without learned structure, and compare it with the baselines.",
    "evaluate": "Compare a trained run with the baseline policies and a plain LSTM.",
    "report": "Write an HTML page about trained runs: tables, learning curves, sentences and configuration.",
    "treebank": "Compare the phrases of a run with chunks (CoNLL-2000) or with constituents of parse trees (SST).",
    "neighbours": "Show the phrases of a corpus that a trained HS-LSTM finds most similar to given phrases.",
    "segment": "Segment or distil sentences and classify them.",
    "corpora": "List the corpora, or describe one and show some of its sentences.",
    "rewards": "List the rewards and their parameters, for expressions such as `log_likelihood + 0.1 * boundary_f1`.",
    "models": "List the models and their parameters, which are options of `hs-env train --model NAME`.",
    "agents": "List the agents and their parameters, which are options of `hs-env train --agent NAME`.",
    "lm": "Train, evaluate and sample character language models.",
}
"""Summary of each command. Command NAME is the function NAME of `hs_env.cli.NAME`; the summary is its docstring's first
line, repeated here so that `hs-env --help` imports no command."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `hs-env` with these arguments, or with those of the process.

    Raises:
        SystemExit: With status 1 after an error that the user can correct, and with status 2 after wrong usage.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _make_parser()
    command = parser.parse_args(given[:1]).command
    if command is None:
        parser.error("expected a command")
    if command not in COMMANDS:
        parser.error(str(unknown_name("command", command, COMMANDS)))
    try:
        _run(command, given[1:])
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
    except (HsEnvError, OSError) as error:
        _print_error(error)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _make_parser() -> argparse.ArgumentParser:
    """Return the parser of the first argument, which has the help of `hs-env` itself."""
    parser = argparse.ArgumentParser(
        "hs-env",
        usage="hs-env [-h] [--version] COMMAND ...",
        description="Learn the structure of text: train and evaluate HS-LSTM, ID-LSTM and HM-LSTM.",
        epilog="\n".join(
            [
                "commands:",
                *(f"  {name:<12}{summary}" for name, summary in COMMANDS.items()),
                "",
                "`hs-env COMMAND --help` describes the options of a command.",
            ]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hs-env {hs_env.__version__}")
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    return parser


def _run(command: str, arguments: Sequence[str]) -> None:
    import tyro

    module, prog = import_module(f"hs_env.cli.{command}"), f"hs-env {command}"
    if command == "lm":
        tyro.extras.subcommand_cli_from_dict(
            module.COMMANDS, prog=prog, description=COMMANDS[command], args=list(arguments)
        )
    elif command == "train":
        tyro.cli(module.command(arguments), prog=prog, args=list(arguments))
    else:
        tyro.cli(getattr(module, command), prog=prog, args=list(arguments))


def _print_error(error: Exception) -> None:
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True).print(Text.assemble(("hs-env: ", "bold red"), str(error)), soft_wrap=True)
