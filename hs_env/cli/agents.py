"""The command `hs-env agents`."""

from __future__ import annotations

from hs_env.agents import AGENTS
from hs_env.cli.common import print_kinds


def agents() -> None:
    """List the agents and their parameters, for `--agent` and `--agent-parameters`."""
    kinds = {name: AGENTS.get(name).parameters for name in AGENTS}
    print_kinds({name: (AGENTS.get(name).title(kind()), kind) for name, kind in kinds.items()})
