"""The command `hs-env models`."""

from __future__ import annotations

from hs_env.cli.common import print_kinds
from hs_env.models import MODELS


def models() -> None:
    """List the models and their parameters.

    The parameters are options of `hs-env train --model NAME`.
    """
    print_kinds({name: (kind.title, kind.Parameters) for name, kind in MODELS.items()})
