"""What all tests of training share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory):
    """A store of contextual vectors for each module, empty at first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HS_ENV_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
