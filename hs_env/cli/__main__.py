"""Run `hs-env` as `python -m hs_env.cli`."""

from hs_env.cli.app import main

main()
