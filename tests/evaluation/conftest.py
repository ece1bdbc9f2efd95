"""Fixtures of the tests of evaluation."""

from __future__ import annotations

import pytest

from hs_env.metrics import Predictions
from tests.metrics.builders import simulate


@pytest.fixture
def predictions() -> Predictions:
    """200 sentences of three classes."""
    return simulate(200)
