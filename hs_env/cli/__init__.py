"""The command line `hs-env`: one module per command, which is imported only when its command runs."""

from hs_env.cli.app import main

__all__ = ["main"]
