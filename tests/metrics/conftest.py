"""Fixtures of the tests of metrics."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hs_env.metrics import Predictions
from tests.metrics.builders import simulate


@pytest.fixture(name="simulate")
def _simulate() -> Callable[..., Predictions]:
    """The function `simulate`."""
    return simulate


@pytest.fixture
def predictions() -> Predictions:
    """200 sentences of three classes."""
    return simulate(200)
