"""The entry point: errors, help, version, and what it imports."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import docstring_parser
import pytest

import hs_env
from hs_env import cli
from hs_env.cli import app
from tests.cli.builders import SMALL

ROOT = Path(__file__).parents[2]
WITH_SUBCOMMANDS = {"lm", "hub"}


def function_of(name: str) -> Callable[..., None]:
    """The function that a command calls."""
    module = import_module(f"hs_env.cli.{name}")
    function: Callable[..., None] = module.command([]) if hasattr(module, "command") else getattr(module, name)
    return function


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["segment", "--run", "nowhere", "a"], "Unknown classifier 'nowhere'"),
        (["corpora", "movie_reveiws"], "Did you mean 'movie_reviews"),
        (["train", "--resume", "nowhere"], "is not the folder of a run"),
        (["train", "--resume", "x", "--seed", "1"], "Give no others"),
        (
            ["train", "--model", "id_lstm", "--warm-start", "all_end", *SMALL],
            "Choose one of: all_retain, content_words",
        ),
        (["train", "--model", "cnn", "--agent.samples=3"], "has no agent. Leave --agent.samples out."),
        (["train", "--batch-size", "0"], "batch_size must be a whole number"),
        (["neighbours", "zzz", "--split", "test"], "knows no word of 'zzz'"),
        (["neighbours", "good", "--run", "phrases_id_lstm"], "has no phrase vectors"),
        (["treebank", "sst"], "give data_dir"),
        (["evaluate", "nowhere"], "is not the folder of a run"),
    ],
)
def test_errors_are_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"hs-env {hs_env.__version__}\n"


def test_help_lists_every_command_with_its_summary(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--help"])
    assert stopped.value.code == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    listed = ["models", "rewards", "agents"]
    assert ["models,", "rewards, agents: list names and their parameters."] in lines
    for name, summary in app.COMMANDS.items():
        assert ([name, summary] in lines) != (name in listed)
        if name not in WITH_SUBCOMMANDS:
            assert inspect.getdoc(function_of(name)).splitlines()[0] == summary


def test_help_fits_a_terminal_of_80_by_24(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([name, "--help"])
    assert stopped.value.code == 0
    assert f"usage: hs-env {name} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected a command"),
        (["neighbors"], "Unknown command 'neighbors'. Did you mean 'neighbours'?"),
        (["--seed", "1"], "unrecognized arguments: --seed"),
    ],
)
def test_wrong_usage_is_explained(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


HELP = [[name, "--help"] for name in app.COMMANDS if name not in ("train", "tune", "lm", "models", "agents")]
"""Commands whose help needs no torch. The others read their options or lists from models and agents."""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["corpora"], ["rewards"], *HELP], ids=" ".join)
def test_quick_commands_do_not_import_torch(arguments):
    code = (
        "import contextlib, sys\n"
        "from hs_env.cli import main\n"
        "with contextlib.suppress(SystemExit):\n"
        f"    main({arguments})\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_it_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "hs_env", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == f"hs-env {hs_env.__version__}\n"


@pytest.mark.parametrize("name", [name for name in app.COMMANDS if name not in WITH_SUBCOMMANDS])
def test_help_of_an_argument_is_one_line_of_its_docstring(name):  # tyro would print the line break
    for argument in docstring_parser.parse_from_object(function_of(name)).params:
        assert argument.description.endswith("."), argument.arg_name
        assert "\n" not in argument.description, argument.arg_name


def test_the_home_folder_is_meant_by_its_sign(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    cli.main(["demo", "phrases_id_lstm", "--out=~/demo.html"])
    assert (tmp_path / "demo.html").is_file()
    with pytest.raises(SystemExit):
        cli.main(["demo", "phrases_id_lstm", "--out=~nobody-here/demo.html"])
    assert "The home folder in '~nobody-here/demo.html' is unknown" in " ".join(capsys.readouterr().err.split("│"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, None)],
)
def test_waiting_threads_sleep_unless_the_user_decides(given, expected, monkeypatch):
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    others = {name: value for name, value in os.environ.items() if name not in names}
    monkeypatch.setattr(os, "environ", others | given)
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert os.environ.get("GOMP_SPINCOUNT") == expected
