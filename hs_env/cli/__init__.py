"""The command line `hs-env`."""

from hs_env.cli.app import main

__all__ = ["main"]
