"""The command `hs-env agents`."""

from __future__ import annotations

from hs_env.agents import AGENTS
from hs_env.cli.common import print_kinds


def agents() -> None:
    """List the agents and their parameters.

    The parameters are options of `hs-env train --agent NAME`.
    """
    print_kinds({name: (kind.title(kind.parameters()), kind.parameters) for name, kind in AGENTS.items()})
