"""`python -m hs_env.cli` is `hs-env`."""

from hs_env.cli.app import main

main()
