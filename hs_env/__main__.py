"""Run `hs-env` as `python -m hs_env`."""

from hs_env.cli.app import main

main()
