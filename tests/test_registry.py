"""Versioned names."""

from __future__ import annotations

import pytest

from hs_env.registry import Registry
from hs_env.types import HsEnvError


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


@pytest.mark.parametrize("name", ["one", "One.v1", "one.v0", "one v1", ""])
def test_names_have_a_form(registry, name):
    with pytest.raises(HsEnvError, match="versioned name"):
        registry.register(name)
