"""The short and the whole help of a command."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from hs_env import cli
from hs_env.cli.options import MAIN, options_of
from hs_env.cli.reading import ReadingOptions
from hs_env.language import LMConfig
from hs_env.training import TrainConfig


def options_in(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    return set(re.findall(r"^[│ ] {1,2}(--[a-z][\w.-]*)", shown, re.MULTILINE)), shown


@pytest.mark.parametrize("command", [["train"], ["tune"], ["evaluate"], ["sweep"], ["reproduce"], ["lm", "train"]])
def test_short_help_shows_main_options_and_how_to_see_the_rest(command, capsys):
    short, shown = options_in([*command, "--help"], capsys)
    whole, everything = options_in([*command, "--help-all"], capsys)
    assert "<class" not in everything
    assert "Ellipsis" not in everything
    (count,) = re.findall(rf"hs-env {' '.join(command)} --help-all shows (\d+) more options", shown)
    assert short < whole
    assert len(whole) - len(short) == int(count)
    assert len(short) <= 13


def test_train_shows_what_matters_first(capsys):
    short, shown = options_in(["train", "--help"], capsys)
    assert {"--corpus", "--model", "--agent", "--reward", "--out", "--resume", "--seed"} <= short
    assert "--tau" not in shown
    whole, shown = options_in(["train", "--agent", "ppo", "--help-all"], capsys)
    assert {"--tau", "--hidden-size", "--agent.steps", "--label-names"} <= whole
    assert "(default: None)" not in shown


def test_a_command_with_few_options_shows_all_of_them(capsys):
    _, shown = options_in(["predict", "--help"], capsys)
    assert "--help-all" not in shown


@pytest.mark.parametrize("config", [TrainConfig, LMConfig, ReadingOptions])
def test_main_options_exist(config):
    assert set(config.MAIN) <= config.__dataclass_fields__.keys()


@pytest.mark.parametrize("name", ["train", "tune", "evaluate", "sweep", "reproduce"])
def test_main_parameters_exist(name):
    module = import_module(f"hs_env.cli.{name}")
    function = module.command([]) if hasattr(module, "command") else getattr(module, name)
    assert set(getattr(function, MAIN)) <= function.__annotations__.keys()
    assert all(option.text.endswith(".") for option in options_of(function))


def test_a_text_that_looks_like_help_is_a_text(capsys):
    cli.main(["segment", "--", "--help"])
    assert "usage" not in capsys.readouterr().out
