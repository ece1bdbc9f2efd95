"""The entry point of `hs-env`: choose the command, run it, and print errors."""

from __future__ import annotations

import argparse
import errno
import os
import re
import shutil
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final, NoReturn

import hs_env
from hs_env.cli.streams import discard_output, output_fault, prepare_streams
from hs_env.errors import HsEnvError, expand
from hs_env.registry import unknown_name

GROUPS: Final = {
    "Train": {
        "train": "Train a classifier, and compare it with the baselines.",
        "lm": "Train, evaluate, sample and draw character language models.",
        "sweep": "Train what a grid of configurations lacks, here or on Ray.",
        "tune": "Search for a good configuration, judged on dev.",
        "reproduce": "Train what published results need, and print ours beside them.",
    },
    "Look at runs, and use them": {
        "evaluate": "Compare a run with the baselines, or several runs with each other.",
        "report": "Write an HTML page about runs: tables, curves, sentences.",
        "treebank": "Compare the phrases of a run with chunks or parse trees.",
        "neighbours": "Show the phrases that an HS-LSTM finds similar to given ones.",
        "segment": "Segment or distil sentences, and classify them.",
        "predict": "Classify the texts of a file, and write a table.",
        "demo": "Write an HTML page that computes a classifier in the browser.",
        "hub": "Share runs on the Hugging Face hub: model card, upload, download.",
    },
    "Data, and names that options take": {
        "corpora": "List the corpora, or describe one and show sentences of it.",
        "prepare": "Download data sets and word vectors, and convert them to files.",
        **{name: f"List the {name} and their parameters." for name in ("models", "rewards", "agents")},
    },
}
"""Summary of each command, in groups. Command NAME is the function NAME of `hs_env.cli.NAME`; the summary is the first
line of its docstring, repeated here so that `hs-env --help` imports no command."""

COMMANDS: Final = {name: summary for group in GROUPS.values() for name, summary in group.items()}

SHELLS: Final = ("bash", "zsh", "fish")
"""Shells that `hs-env --print-completion` writes a script for."""

_SPINS: Final = "1000"
"""Turns of the loop in which a waiting thread of OpenMP (libgomp) occupies its core, before it sleeps.

By default there are so many that two threads starve each other on a machine that does other work as well. OpenMP reads
the variable when torch is imported.
"""
_NARROWEST: Final = 20
"""Smallest number of columns that the output is laid out for; in fewer, tables and boxes have no room."""

_HELP: Final = {"-h": False, "--help": False, "--help-all": True}
"""Options that print the help of a command, and whether it is the whole help."""

_OPTION: Final = re.compile(r"--[A-Za-z][\w.:-]*(=.*)?|-h", re.DOTALL)
"""Arguments that are options. Others that begin with a dash, such as `-lrb- good`, are texts or values."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `hs-env` with these arguments, or with those of the process.

    Raises:
        SystemExit: With status 1 after an error that the user can correct, with status 2 after wrong usage, and with
            128 and the number of the signal after SIGINT, SIGTERM or SIGHUP.
    """
    prepare_streams()
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
    if shutil.get_terminal_size().columns < _NARROWEST:
        os.environ["COLUMNS"] = str(_NARROWEST)
    try:
        try:
            with _signals_as_interrupts(), warnings.catch_warnings():
                warnings.showwarning = _print_warning  # type: ignore[assignment]
                warnings.filterwarnings("default", module=r"(hs_env|agents|rewards)(\.|$)")  # never an error
                _start(list(sys.argv[1:] if arguments is None else arguments))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        raise SystemExit(0 if discard_output() else 1) from None
    except (HsEnvError, OSError, RecursionError, UnicodeEncodeError) as error:
        _fail(_explained(error))
    except KeyboardInterrupt as stop:
        raise SystemExit(128 + (stop.number if isinstance(stop, _Terminated) else signal.SIGINT)) from None


class _Terminated(KeyboardInterrupt):
    """Raised by the handler of SIGTERM and SIGHUP. A KeyboardInterrupt, so that commands end as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Let SIGTERM and SIGHUP interrupt the command as Ctrl-C does, unless they are ignored or handled already."""

    def end(number: int, _: object) -> None:
        raise _Terminated(number)

    names = ("SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    told = [number for name in names if (number := getattr(signal, name, None)) is not None]
    told = [number for number in told if signal.getsignal(number) == signal.SIG_DFL]
    for number in told:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in told:
            if signal.getsignal(number) is end:  # else a command has replaced it for good
                signal.signal(number, signal.SIG_DFL)


def _fail(error: Exception) -> NoReturn:
    """Print an error and end. Of several processes that train together, only the first that fails prints it."""
    if os.environ.get("WORLD_SIZE", "1") == "1":
        _print_error(error)
        raise SystemExit(1) from None
    from hs_env import ranks

    if ranks.fails_first():
        _print_error(error)
    ranks.end()


def _explained(error: Exception) -> Exception:
    if isinstance(error, OSError):
        if isinstance(error, FileNotFoundError) and not _has_working_folder():
            return HsEnvError("The working folder does not exist any more. Change to another one.")
        if error.filename is not None:
            return HsEnvError(f"{error.filename} cannot be read or written: {error.strerror}.")
        if (fault := output_fault()) or error.errno == errno.ENOSPC:  # all files have names in errors
            return HsEnvError(f"Standard output cannot be written: {fault or error.strerror}.")
    if isinstance(error, RecursionError):
        return HsEnvError("The input is nested too deeply.")
    if isinstance(error, UnicodeEncodeError):
        shown = ascii(error.object[max(error.start - 20, 0) : error.end])
        encoding = sys.getfilesystemencoding()
        return HsEnvError(
            f"The name or text {shown} is not UTF-8, or cannot be written in the encoding of the locale, {encoding}. "
            "Rename the file, or set PYTHONUTF8=1."
        )
    return error


def _has_working_folder() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _start(given: list[str]) -> None:
    parser = _make_parser()
    at_top = given if given[:1] == ["--print-completion"] else given[:1]
    top = parser.parse_args(at_top)
    command = top.command
    if top.print_completion is not None:
        from hs_env.cli.completion import completion_script

        print(completion_script(top.print_completion))
        return
    if command is None:
        parser.error("expected a command")
    if command not in COMMANDS:
        parser.error(str(unknown_name("command", command, COMMANDS)))
    _run(command, given[1:])


def _make_parser() -> argparse.ArgumentParser:
    """Return the parser of the first argument, which has the help of `hs-env` itself."""
    lines = ["Learn the structure of text. Options: `hs-env COMMAND --help`, all: --help-all"]
    for group, commands in GROUPS.items():
        listed = [name for name, summary in commands.items() if summary == f"List the {name} and their parameters."]
        lines += [f"{group}:", *(f"  {name:<12}{text}" for name, text in commands.items() if name not in listed)]
        lines += [f"  {', '.join(listed)}: list names and their parameters."] if listed else []
    parser = argparse.ArgumentParser(
        "hs-env",
        usage="hs-env [-h] [--version] [--print-completion SHELL] COMMAND ...",
        description="\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hs-env {hs_env.__version__}")
    parser.add_argument("--print-completion", choices=SHELLS, metavar="SHELL")
    parser.add_argument("command", nargs="?")
    for action in parser._actions:
        action.help = argparse.SUPPRESS
    return parser


def _run(command: str, arguments: Sequence[str]) -> None:
    import tyro
    from rich.console import Console

    from hs_env.cli.help import print_help

    module, prog = import_module(f"hs_env.cli.{command}"), f"hs-env {command}"
    prepared = _with_values(arguments)
    if hasattr(module, "COMMANDS"):
        if not arguments or arguments[0] not in module.COMMANDS:
            tyro.extras.subcommand_cli_from_dict(
                module.COMMANDS, prog=prog, description=COMMANDS[command], args=prepared
            )
            return
        function, prog, prepared = module.COMMANDS[arguments[0]], f"{prog} {arguments[0]}", prepared[1:]
        if arguments[0] == "train":
            function = module.train_command(arguments)
    elif command in ("train", "tune"):
        sys.path.append(os.getcwd())  # for a reward in a module of the working folder, as with `python -m`
        function = module.command(arguments)
    else:
        function = getattr(module, command)
        prepared = _texts_last(function, arguments)
    setattr(Console, "on_broken_pipe", _raise_broken_pipe)  # noqa: B010 - rich would end the process with status 1
    registry = tyro.constructors.ConstructorRegistry()
    registry.primitive_rule(_home_rule)
    asked = next((each for each in prepared[: (*prepared, "--").index("--")] if each in _HELP), None)
    if asked is None:
        tyro.cli(function, prog=prog, args=prepared, registry=registry)
    else:
        print_help(function, prog, _HELP[asked])


def _raise_broken_pipe(_: object) -> NoReturn:
    raise BrokenPipeError


def _home_rule(info: Any) -> Any:
    """Let `~` at the start of a path be the home folder: shells do not expand it in `--out=~/runs`."""
    import tyro

    if info.type is not Path:
        return None
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH",
        instance_from_str=lambda given: expand(given[0]),
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda path: [str(path)],
    )


def _with_values(arguments: Sequence[str]) -> list[str]:
    """Join options with values that begin with a dash (`--prompt=- he`), and let a bare `--reward-dropout` be True."""
    result: list[str] = []
    for at, argument in enumerate(arguments):
        following = arguments[at + 1] if at + 1 < len(arguments) else None
        if argument == "--reward-dropout" and (following is None or _OPTION.fullmatch(following)):
            argument = "--reward-dropout=True"
        is_value = argument.startswith("-") and argument != "--" and not _OPTION.fullmatch(argument)
        if is_value and result and _OPTION.fullmatch(result[-1]) and "=" not in result[-1]:
            result[-1] += f"={argument}"
        else:
            result.append(argument)
    return result


def _texts_last(function: Callable[..., None], arguments: Sequence[str]) -> list[str]:
    """Put texts after `--` if one of them begins with a dash, so that it is not taken for an option."""
    names = [name for name, kind in function.__annotations__.items() if kind == "bool"]
    flags = {f"--{sign}{name}" for name in names for sign in ("", "no-")}
    options: list[str] = []
    texts: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            texts += remaining
        elif not _OPTION.fullmatch(argument):
            texts.append(argument)
        else:
            valued = argument.startswith("--") and argument not in flags and "=" not in argument
            options += [argument, *islice(remaining, int(valued))]
    return [*options, "--", *texts] if any(text.startswith("-") for text in texts) else list(arguments)


def _print_warning(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
    own = Path(filename).is_relative_to(Path(hs_env.__file__).parent)
    shown = f"hs-env: warning: {message}\n" if own else warnings.formatwarning(message, category, filename, lineno)
    sys.stderr.write(shown)


def _print_error(error: Exception) -> None:
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True).print(Text.assemble(("hs-env: ", "bold red"), str(error)), soft_wrap=True)
