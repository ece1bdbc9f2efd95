"""Versioned names."""

from __future__ import annotations

import pytest

from hs_env.agents import AGENTS, BASELINES, ESTIMATORS
from hs_env.errors import HsEnvError
from hs_env.language.cores import CORES
from hs_env.models import MODELS
from hs_env.registry import Registry


@pytest.fixture
def registry():
    registry: Registry[int] = Registry("number")
    registry.register("one.v1")(1)
    registry.register("two.v2")(22)
    registry.register("two.v10")(210)
    return registry


def test_a_bare_name_is_its_newest_version(registry):
    assert registry.get("two") == 210
    assert registry.get("two.v2") == 22
    assert registry.resolve("one") == "one.v1"
    assert list(registry) == ["one.v1", "two.v10", "two.v2"]


def test_unknown_names_get_a_suggestion(registry):
    with pytest.raises(HsEnvError, match=r"Unknown number 'twoo'\. Did you mean 'two\.v2'"):
        registry.get("twoo")
    with pytest.raises(HsEnvError, match=r"Unknown number 'one\.v7'"):
        registry.get("one.v7")


def test_a_version_is_never_redefined(registry):
    with pytest.raises(HsEnvError, match="registered already"):
        registry.register("one.v1")(3)
    own = Registry("problem", own={"mine.v1": "math:pi"})
    with pytest.raises(HsEnvError, match="registered already"):
        own.register("mine.v1")(3)


@pytest.mark.parametrize("name", ["one", "One.v1", "one.v0", "one v1", ""])
def test_names_have_a_form(registry, name):
    with pytest.raises(HsEnvError, match="versioned name"):
        registry.register(name)


def distribution(folder, name, entry_points):
    """Metadata of an installed distribution whose modules are in `folder`."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hs_env.tests]\n" + "\n".join(entry_points) + "\n")


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """A registry with a number of its own, and plug-ins of which some are broken."""
    (tmp_path / "plugged_numbers.py").write_text("three, four = 3, 4\n")
    (tmp_path / "plugged_failure.py").write_text("1 / 0\n")
    good = ["three.v1 = plugged_numbers:three", "three.v2 = plugged_numbers:four", "one.v1 = plugged_numbers:three"]
    distribution(tmp_path, "good-numbers", [*good, "one.v2 = plugged_numbers:three", "twice.v1 = plugged_numbers:four"])
    bad = ["bad.v1 = plugged_failure:x", "gone.v1 = plugged_nowhere:x", "less.v1 = plugged_numbers:five"]
    distribution(tmp_path, "bad-numbers", [*bad, "plain = plugged_numbers:four", "twice.v1 = plugged_numbers:four"])
    monkeypatch.syspath_prepend(tmp_path)
    registry: Registry[int] = Registry("number", group="hs_env.tests")
    registry.register("one.v1")(1)
    return registry


def test_plugins_are_found_by_name(plugins):
    assert plugins.get("three.v1") == 3
    assert plugins.get("three") == 4
    assert list(plugins) == "bad.v1 gone.v1 less.v1 one.v1 one.v2 plain three.v1 three.v2 twice.v1".split()
    assert "three.v1" in plugins
    assert "three.v9" not in plugins


def test_an_entry_knows_its_name(plugins, monkeypatch):
    assert plugins.name_of(4) == "three.v2"  # among broken ones
    with pytest.raises(HsEnvError, match=r"The number 5 is not registered.*such as 'my_number\.v1'"):
        plugins.name_of(5)
    monkeypatch.setattr(Registry, "_load", lambda *_: pytest.fail("imported"))
    assert plugins.name_of(1) == "one.v1"


def test_plugins_change_no_name_that_is_registered(plugins):
    assert plugins.get("one.v1") == 1
    assert plugins.get("one.v2") == 3
    assert plugins.get("one") == 1


def test_plugins_are_looked_up_only_where_a_name_is_not_registered(plugins, monkeypatch):
    monkeypatch.setattr(Registry, "_plugins", lambda self: pytest.fail("looked up"))
    assert plugins.get("one") == plugins.get("one.v1") == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bad", r"number 'bad\.v1' of the distribution 'bad-numbers' cannot be loaded.*ZeroDivisionError"),
        ("gone.v1", r"'bad-numbers' cannot be loaded from 'plugged_nowhere:x': ModuleNotFoundError.*[Uu]ninstall"),
        ("less.v1", r"'bad-numbers' cannot be loaded.*has no attribute 'five'"),
        ("plain", r"'bad-numbers' needs a versioned name such as 'my_number\.v1'"),
        ("twice.v1", r"'bad-numbers' and 'good-numbers' is defined more than once"),
        ("thre", r"Unknown number 'thre'\. Did you mean 'three\.v"),
    ],
)
def test_a_broken_plugin_is_named_with_its_distribution(plugins, name, message):
    with pytest.raises(HsEnvError, match=message):
        plugins.get(name)
    assert plugins.get("three") == 4


@pytest.mark.parametrize("entry", [1, str, print, "float"])
def test_an_entry_of_another_kind_is_refused_when_it_is_registered(entry):
    registry = Registry("size", subclasses_of=(int, float))
    with pytest.raises(HsEnvError, match=r"The size 'big\.v1' must be a subclass of int or float, got "):
        registry.register("big.v1")(entry)
    assert "big" not in registry
    assert registry.register("big.v1")(bool) is bool


def test_a_class_is_refused_where_an_object_is_expected():
    registry = Registry("size", instances_of=int)
    with pytest.raises(HsEnvError, match=r"The size 'big\.v1' must be an object of int, got <class 'int'>"):
        registry.register("big.v1")(int)
    assert registry.register("big.v1")(7) == 7


@pytest.mark.parametrize("registry", [AGENTS, BASELINES, CORES, ESTIMATORS, MODELS])
def test_registries_of_plug_ins_refuse_what_they_cannot_use(registry):
    with pytest.raises(HsEnvError, match=rf"The {registry.kind} 'mine\.v1' must be "):
        registry.register("mine.v1")(object)


def test_a_plugged_in_entry_of_another_kind_names_its_distribution(tmp_path, monkeypatch):
    (tmp_path / "plugged_numbers.py").write_text("three = 3\n")
    distribution(tmp_path, "wrong-kind", ["three.v1 = plugged_numbers:three"])
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry("size", group="hs_env.tests", subclasses_of=(int,))
    with pytest.raises(HsEnvError, match=r"of the distribution 'wrong-kind' must be a subclass of int, got 3"):
        registry.get("three")
