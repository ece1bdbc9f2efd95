"""The command `hs-env rewards`."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hs_env.errors import HsEnvError
from hs_env.rewards import REWARDS, describe_parameters


def rewards() -> None:
    """List the rewards and their parameters.

    They are for expressions such as `log_likelihood + 0.1 * boundary_f1`.
    """
    table = Table("Name", "Description", "Parameters", box=None, padding=(0, 2, 0, 0))
    for name in REWARDS:
        try:
            maker = REWARDS.get(name)
            row = (maker.__doc__ or "").strip().split("\n")[0], describe_parameters(maker)
        except (HsEnvError, TypeError) as error:  # a plug-in that cannot be loaded, or that is not callable
            row = str(error), ""
        table.add_row(*(Text(cell) for cell in (name, *row)))
    table.add_row(
        "MODULE:NAME", "A function of episodes, or a subclass of hs_env.rewards.Reward, in your own module.", "its own"
    )
    Console().print(table)
