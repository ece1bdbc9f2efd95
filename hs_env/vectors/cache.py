"""Find the cache folder of the user."""

from __future__ import annotations

import os
from pathlib import Path

from hs_env.errors import HsEnvError, expand


def cache_folder() -> Path:
    """Return the folder `HS_ENV_CACHE`, or else `hs-env` in the user's cache folder.

    Raises:
        HsEnvError: If neither is set and there is no home folder.
    """
    if own := os.environ.get("HS_ENV_CACHE"):
        return expand(own)
    try:
        return expand(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "hs-env"
    except HsEnvError as error:
        raise HsEnvError(
            "There is no folder for the store of word vectors, because the home folder is unknown. Set HS_ENV_CACHE to "
            "a folder that can be written, or set XDG_CACHE_HOME or HOME."
        ) from error
